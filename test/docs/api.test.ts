import { runInNewContext } from 'node:vm';
import { Duration, RemovalPolicy, type Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { describe, expect, it } from 'vitest';
import { parseSettings } from '../../functions/guard/settings/schema.ts';
import { createApp, templateOf } from '../infra/user-app.ts';
import { PlatformStack } from './api-examples/cdk-objects.ts';
import { FleetStack } from './api-examples/fleet.ts';
import { PaymentsStack } from './api-examples/listed-projects.ts';
import { type Property, readApi } from './api-model.ts';

const API = readApi();

function propertiesOf(name: string): readonly Property[] {
  const declaration = API.find((each) => each.name === name)?.declaration;
  if (declaration?.kind !== 'interface') throw new Error(`no interface ${name} is exported`);
  return declaration.properties;
}

describe('every export of the package', () => {
  it('has a docstring, and so does each member', () => {
    const bare = API.flatMap(({ name, doc, declaration }) => {
      const members = declaration.kind === 'class' ? [...declaration.properties, ...declaration.methods] : [];
      const properties = declaration.kind === 'interface' ? declaration.properties : [];
      const without = [...members, ...properties].filter((each) => (each.doc?.text ?? '') === '');
      return [...(doc === null ? [name] : []), ...without.map((each) => `${name}.${each.name}`)];
    });
    expect(bare).toEqual([]);
  });

  it('documents the default of each optional property', () => {
    const silent = API.flatMap(({ name, declaration }) =>
      declaration.kind === 'interface'
        ? declaration.properties
            .filter(({ isOptional, doc }) => isOptional === ((doc?.default ?? null) === null))
            .map((each) => `${name}.${each.name}`)
        : [],
    );
    expect(silent).toEqual([]);
  });
});

/** A document without optional settings. The schema adds the defaults. */
const whole = parseSettings({
  projects: { production: { secretName: 'q' } },
  fleet: { secretNamePrefix: 'q/' },
  alerts: { subscriptions: [{ email: 'ops@example.com' }] },
});
const { policy } = whole.projects.production ?? {};
/** The schema's defaults by interface. */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  IntegrationGuardProps: whole,
  ProjectProps: whole.projects.production,
  FleetProps: whole.fleet,
  AlertsProps: { ...whole.alerts, subscriptions: parseSettings({ projects: whole.projects }).alerts.subscriptions },
  SubscriptionProps: whole.alerts.subscriptions[0],
  PolicyProps: policy,
  LowTrafficProps: policy?.lowTraffic,
  BlastRadiusProps: policy?.blastRadius,
  ProviderOutageProps: policy?.providerOutage,
  ProbeRecoveryProps: policy?.recovery,
};

/** The plain value of a default in a docstring. */
function evaluate(text: string): unknown {
  const value: unknown = runInNewContext(`(${text})`, { Duration, RemovalPolicy });
  return value instanceof Duration ? `rate(${value.toMinutes()} minutes)` : JSON.parse(JSON.stringify(value));
}

describe('a default in a docstring', () => {
  const all = Object.entries(DEFAULTS).flatMap(([name, defaults]) =>
    propertiesOf(name).map((property) => ({
      path: `${name}.${property.name}`,
      says: property.doc?.default ?? '',
      is: (defaults as Readonly<Record<string, unknown>>)[property.name],
    })),
  );

  it('is the schema’s default', () => {
    const values = all.filter(({ says, path }) => /^[^-]/.test(says) && path !== 'IntegrationGuardProps.removalPolicy');
    expect(values.length).toBeGreaterThan(25);
    for (const { path, says, is } of values) expect({ [path]: evaluate(says) }).toEqual({ [path]: is });
  });

  it('is a text only if the schema has no default, or the default is an interface', () => {
    const texts = all.filter(({ says, is }) => says.startsWith('- ') && is !== undefined).map(({ path }) => path);
    expect(texts).toEqual([
      // The documents above set these.
      'IntegrationGuardProps.projects',
      'IntegrationGuardProps.fleet',
      'IntegrationGuardProps.alerts',
      'ProjectProps.secretName',
      'ProjectProps.policy',
      'FleetProps.policy',
      'SubscriptionProps.email',
    ]);
  });

  it('is the policy’s for an override', () => {
    for (const { doc, isOptional } of propertiesOf('OverrideProps'))
      expect(doc?.default ?? null).toBe(isOptional ? '- as in the policy' : null);
  });
});

describe('the examples', () => {
  it.each<readonly [string, new (scope: Construct, id: string) => Stack]>([
    ['PaymentsStack', PaymentsStack],
    ['PlatformStack', PlatformStack],
    ['FleetStack', FleetStack],
  ])('%s has a guard in its stack', (name, Example) => {
    expect(templateOf(new Example(createApp(), name)).Metadata).toHaveProperty('IntegrationGuard');
  });
});
