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
  if (declaration?.kind !== 'interface') throw new Error(`there is no interface ${name}`);
  return declaration.properties;
}

describe('everything that the package exports', () => {
  it('has a docstring, and so has all that is in it', () => {
    const bare = API.flatMap(({ name, doc, declaration }) => {
      const members = declaration.kind === 'class' ? [...declaration.properties, ...declaration.methods] : [];
      const properties = declaration.kind === 'interface' ? declaration.properties : [];
      const without = [...members, ...properties].filter((each) => (each.doc?.text ?? '') === '');
      return [...(doc === null ? [name] : []), ...without.map((each) => `${name}.${each.name}`)];
    });
    expect(bare).toEqual([]);
  });

  it('says what a property is when it is left out', () => {
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

/** What the schema makes of a document that says nothing about a property, by the interface that has it. */
const whole = parseSettings({
  projects: { production: { secretName: 'q' } },
  fleet: { secretNamePrefix: 'q/' },
  alerts: { subscriptions: [{ email: 'ops@example.com' }] },
});
const { policy } = whole.projects.production ?? {};
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

/** A default that is a value in the docstring, as a plain value. */
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

  it('is the schema’s', () => {
    const values = all.filter(({ says, path }) => /^[^-]/.test(says) && path !== 'IntegrationGuardProps.removalPolicy');
    expect(values.length).toBeGreaterThan(25);
    for (const { path, says, is } of values) expect({ [path]: evaluate(says) }).toEqual({ [path]: is });
  });

  it('is a text only when the schema has none, or it is that of an interface', () => {
    const texts = all.filter(({ says, is }) => says.startsWith('- ') && is !== undefined).map(({ path }) => path);
    expect(texts).toEqual([
      // The documents above say these.
      'IntegrationGuardProps.projects',
      'IntegrationGuardProps.fleet',
      'IntegrationGuardProps.alerts',
      'ProjectProps.secretName',
      'ProjectProps.policy',
      'FleetProps.policy',
      'SubscriptionProps.email',
    ]);
  });

  it('of an override is that of the policy', () => {
    for (const { doc, isOptional } of propertiesOf('OverrideProps'))
      expect(doc?.default ?? null).toBe(isOptional ? '- as in the policy' : null);
  });
});

describe('the examples', () => {
  it.each<readonly [string, new (scope: Construct, id: string) => Stack]>([
    ['PaymentsStack', PaymentsStack],
    ['PlatformStack', PlatformStack],
    ['FleetStack', FleetStack],
  ])('%s is a stack with a guard', (name, Example) => {
    expect(templateOf(new Example(createApp(), name)).Metadata).toHaveProperty('IntegrationGuard');
  });
});
