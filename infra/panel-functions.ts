import { Duration, Tags } from 'aws-cdk-lib';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { createGuardFunction, type GuardFunctionProps } from './guard-function.ts';

/** The two functions of the control panel. Only one of them can act, so IAM decides separately who may look and who may act. */
export interface PanelFunctions {
  readonly panelFunction: LambdaFunction;
  readonly actFunction: LambdaFunction;
}

interface PanelFunctionsProps {
  readonly common: Pick<GuardFunctionProps, 'settings' | 'encryptionKey'>;
  /** Environment of a function that only reads. */
  readonly readVariables: { readonly [name: string]: string };
  /** Environment of a pass. */
  readonly environment: { readonly [name: string]: string };
}

export function createPanelFunctions(
  scope: Construct,
  { common, readVariables, environment }: PanelFunctionsProps,
): PanelFunctions {
  const actFunction = createGuardFunction(scope, 'Act', {
    ...common,
    description: 'Executes the buttons of the control panel. Its callers can pause and resume integrations',
    entry: 'panel-actions',
    environment,
  });
  const panelFunction = createGuardFunction(scope, 'Panel', {
    ...common,
    description: 'Draws the control panel on the dashboard. Its callers can read, but change nothing',
    entry: 'panel',
    // A person waits for the answer.
    timeout: Duration.seconds(30),
    environment: { ...readVariables, ACT_FUNCTION_ARN: actFunction.functionArn },
  });
  // With this tag, the console knows that the function answers `describe`.
  Tags.of(panelFunction).add('cw-custom-widget', 'describe');
  return { panelFunction, actFunction };
}
