import { App } from 'aws-cdk-lib';
import { describeError, GuardError, SettingsError } from '../functions/guard/errors.ts';
import { showValue } from '../functions/guard/settings/fault.ts';
import { loadSettings, refuseMisspelt } from './load-settings.ts';
import { readDeployedGuard } from './read-deployed-guard.ts';
import { IntegrationGuardStack } from './stack.ts';

/** `-c stackName=NAME` names the stack, for several environments in one account. */
const app = new App();
try {
  const stackName = stackNameOf(app);
  const settings = loadSettings(app);
  const deployed = await readDeployedGuard({ stackName, projects: settings.projects });
  new IntegrationGuardStack(app, stackName, { ...settings, deployed });
} catch (error) {
  if (!(error instanceof GuardError)) throw error;
  console.error(describeError(error));
  process.exit(1);
}

function stackNameOf({ node }: App): string {
  refuseMisspelt(node, 'stackName');
  const name: unknown = node.tryGetContext('stackName') ?? 'IntegrationGuard';
  if (typeof name === 'string' && /^[A-Za-z][A-Za-z0-9-]{0,127}$/.test(name)) return name;
  const rule = 'letters, digits and "-" that begin with a letter';
  throw new SettingsError([`expected ${rule}, got ${showValue(name)}`], 'the stack’s name (-c stackName=NAME)');
}
