import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { IntegrationGuard } from './integration-guard.ts';
import type { IntegrationGuardProps } from './props.ts';

/** Properties of `IntegrationGuardStack`: those of the construct and those of a stack. */
export interface IntegrationGuardStackProps extends StackProps, IntegrationGuardProps {}

/** The guard as a separate stack, with plain output names. */
export class IntegrationGuardStack extends Stack {
  /** The construct. */
  readonly guard: IntegrationGuard;

  /** @throws SettingsError with one line per invalid property */
  constructor(scope: Construct, id: string, props: IntegrationGuardStackProps) {
    const { stack, guard } = splitProps(props);
    super(scope, id, {
      description: 'Pauses Qonversion integrations that keep failing, and sends alerts',
      // CloudFormation limits a template to 1 MB, which many projects come close to.
      suppressTemplateIndentation: true,
      ...stack,
    });
    this.guard = new IntegrationGuard(this, 'Guard', guard);
    for (const [name, output] of this.guard.outputs) {
      if (/^[A-Za-z0-9]+$/.test(name)) output.overrideLogicalId(name);
    }
  }
}

/** Separates the stack's properties. The construct gets all others and rejects those that it does not know. */
function splitProps(props: IntegrationGuardStackProps): {
  readonly stack: StackProps;
  readonly guard: IntegrationGuardProps;
} {
  if (typeof props !== 'object' || props === null) return { stack: {}, guard: props };
  const given = Object.entries(props);
  const isOfStack = ([name]: readonly [string, unknown]) => STACK_PROPS.has(name);
  return {
    stack: Object.fromEntries(given.filter(isOfStack)),
    guard: Object.fromEntries(given.filter((entry) => !isOfStack(entry))) as IntegrationGuardProps,
  };
}

const STACK_PROPS: ReadonlySet<string> = new Set(
  Object.keys({
    analyticsReporting: true,
    crossRegionReferences: true,
    description: true,
    env: true,
    notificationArns: true,
    permissionsBoundary: true,
    propertyInjectors: true,
    stackName: true,
    suppressTemplateIndentation: true,
    synthesizer: true,
    tags: true,
    terminationProtection: true,
  } satisfies Record<keyof StackProps, true>),
);
