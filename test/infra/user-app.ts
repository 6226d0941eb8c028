import { App, type Environment, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { IntegrationGuard } from '../../infra/integration-guard.ts';
import type { IntegrationGuardProps } from '../../infra/props.ts';

/** The construct in a user's stack, in an app as `cdk init` creates it: without this repository's feature flags. */

export const ONE_PROJECT = {
  projects: { production: { secretName: 'qonversion/production' } },
} as const satisfies IntegrationGuardProps;

/** Without bundling, unless a test needs it. */
export function createApp({ bundling = false } = {}): App {
  const context = bundling ? {} : { 'aws:cdk:bundling-stacks': [] };
  return new App({ context: { ...context, 'aws:cdk:version-reporting': false } });
}

export function createUserStack(env?: Environment): Stack {
  return new Stack(createApp(), 'UserStack', env === undefined ? {} : { env });
}

/** Adds a guard with one project, a control panel and these properties to a stack. */
export function addGuard(stack: Stack, props: IntegrationGuardProps = {}): IntegrationGuard {
  return new IntegrationGuard(stack, 'Guard', { ...ONE_PROJECT, dashboard: true, ...props });
}

export interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: string;
}

export interface UserTemplate {
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs: Readonly<Record<string, { readonly Value: unknown }>>;
  readonly Metadata: {
    readonly IntegrationGuard: { readonly Settings: unknown; readonly Outputs: Readonly<Record<string, string>> };
  };
}

export function templateOf(stack: Stack): UserTemplate {
  return Template.fromStack(stack).toJSON() as UserTemplate;
}

export function resourcesOf(template: UserTemplate, type: string): readonly (readonly [id: string, Resource])[] {
  return Object.entries(template.Resources).filter(([, { Type }]) => Type === type);
}

export interface Statement {
  readonly Sid?: string;
  readonly Action: string | readonly string[];
  readonly Resource?: unknown;
  readonly Condition?: unknown;
  readonly Principal?: unknown;
}

/** The statements of the policies of a role, user or group whose logical ID (or name) begins with this. */
export function statementsOf(template: UserTemplate, principal: string): readonly Statement[] {
  return resourcesOf(template, 'AWS::IAM::Policy').flatMap(([, { Properties }]) => {
    const attached = JSON.stringify([Properties.Roles, Properties.Users, Properties.Groups]);
    const { Statement } = Properties.PolicyDocument as { readonly Statement: readonly Statement[] };
    return attached.includes(`"${principal}`) ? Statement : [];
  });
}

/** "ACTION on RESOURCE", sorted, once for each grant. */
export function grantsOf(template: UserTemplate, principal: string): readonly string[] {
  const list = (value: unknown) => (Array.isArray(value) ? value : [value]);
  return statementsOf(template, principal)
    .flatMap(({ Action, Resource }) =>
      list(Action).flatMap((action) => list(Resource).map((resource) => `${action} on ${show(resource)}`)),
    )
    .sort();
}

/** An ARN, with `<Name>` for the parts that CloudFormation fills in. */
export function show(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const [[operation, operand] = ['', null]] = Object.entries(value);
  const nameOf = (id: unknown) =>
    `<${String(id)
      .replace(/^AWS::/, '')
      .replace(/[0-9A-F]{8}$/, '')}>`;
  if (operation === 'Ref') return nameOf(operand);
  if (operation === 'Fn::GetAtt' && Array.isArray(operand)) return nameOf(operand[0]);
  if (operation === 'Fn::Join' && Array.isArray(operand))
    return (operand[1] as unknown[]).map(show).join(String(operand[0]));
  return JSON.stringify(value);
}
