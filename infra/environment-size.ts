import { Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { SettingsError } from '../functions/guard/errors.ts';

/** Lambda's limit for the names and values of a function's environment together. */
const MAX_BYTES = 4_096;

/** The length of a value that only the deployment knows: an ARN or an address, with some reserve. */
const UNKNOWN_BYTES = 140;

/**
 * AWS would refuse the function in the middle of a deployment.
 * @throws SettingsError if the environment is too large
 */
export function checkEnvironmentSize(scope: Construct, environment: Readonly<Record<string, string>>): void {
  const stack = Stack.of(scope);
  const bytes = Object.entries(environment).reduce(
    (sum, [name, value]) => sum + name.length + bytesOf(stack.resolve(value)),
    0,
  );
  if (bytes <= MAX_BYTES) return;
  const says = `alerts.subscriptions: expected chat channels and incident tools whose projects fit into ${MAX_BYTES} bytes (Lambda's limit for the environment of a function), got about ${bytes}; name fewer projects, or leave "projects" out`;
  throw new SettingsError([says], scope.node.path);
}

/** Bytes of a resolved value. CloudFormation's `Fn::Join` has known and unknown parts. */
function bytesOf(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  const join = (value as { readonly 'Fn::Join'?: readonly [string, readonly unknown[]] } | null)?.['Fn::Join'];
  return join === undefined ? UNKNOWN_BYTES : join[1].reduce<number>((sum, part) => sum + bytesOf(part), 0);
}
