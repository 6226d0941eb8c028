import { App } from 'aws-cdk-lib';
import { describeError, SettingsError } from '../functions/guard/errors.ts';
import { loadSettings } from './load-settings.ts';
import { GuardStack } from './stack.ts';

/** `-c stackName=NAME` names the stack, for several environments in one account. */
const app = new App();
try {
  const name: unknown = app.node.tryGetContext('stackName') ?? 'IntegrationGuard';
  new GuardStack(app, String(name), { settings: loadSettings(app.node, process.env) });
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  console.error(describeError(error));
  process.exit(1);
}
