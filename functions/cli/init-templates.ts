/** The files that `init` writes. */

/** The other packages of a new app, in the versions that the guard is developed with. A test compares them with package.json. */
const CDK_LIB = '^2.276.0';
const CONSTRUCTS = '^10.8.1';
const CDK_CLI = '^2.1148.1';
const NODE = '>=22';

/** The files of a new CDK app. */
export const NEW_APP_FILES = ['package.json', 'app.mjs', 'cdk.json', '.gitignore'] as const;

/** The text of each file. */
export function newAppFiles({
  settings,
  stackName,
  version,
}: {
  readonly settings: unknown;
  readonly stackName: string;
  readonly version: string;
}): Readonly<Record<(typeof NEW_APP_FILES)[number], string>> {
  const manifest = {
    // npm refuses to install a package into one with the same name.
    name: 'qonversion-guard',
    private: true,
    scripts: { synth: 'cdk synth --quiet', diff: 'cdk diff', deploy: 'cdk deploy' },
    dependencies: { 'aws-cdk-lib': CDK_LIB, constructs: CONSTRUCTS, 'integration-guard': `^${version}` },
    devDependencies: { 'aws-cdk': CDK_CLI },
    engines: { node: NODE },
  };
  return {
    'package.json': toJson(manifest),
    'app.mjs': newApp(stackName),
    'cdk.json': toJson({ app: 'node app.mjs', context: { 'integration-guard': settings } }),
    '.gitignore': 'node_modules\ncdk.out\n',
  };
}

function toJson(document: unknown): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}

const NAMES = 'IntegrationGuardStack, loadSettings, readDeployedGuard, SettingsError';

function newApp(stackName: string): string {
  return `// @ts-check
import { App } from 'aws-cdk-lib';
import { ${NAMES} } from 'integration-guard';

const app = new App();
const stackName = '${stackName}';
${addStack('')}`;
}

/** The syntax of imports and exports in a file. */
export type ModuleStyle = 'typescript' | 'esm' | 'commonjs';

/** The function that adds the guard to an app. Only types and modules differ between languages. */
export const FUNCTION_NAME = 'addIntegrationGuard';

/** The file with the function that adds the guard to an existing app. */
export function stackFile(style: ModuleStyle, stackName: string): string {
  const doc = (more: string) => `/**
 * Adds the stack of Integration Guard. Its settings are in cdk.json, under "integration-guard".
${more} */`;
  const body = `  const stackName = '${stackName}';\n${addStack('  ')}`;
  switch (style) {
    case 'typescript':
      return `import type { App } from 'aws-cdk-lib';
import { ${NAMES} } from 'integration-guard';

${doc('')}
export async function ${FUNCTION_NAME}(app: App): Promise<void> {
${body}}
`;
    case 'esm':
      return `import { ${NAMES} } from 'integration-guard';

${doc(APP_TYPE)}
export async function ${FUNCTION_NAME}(app) {
${body}}
`;
    case 'commonjs':
      return `const { ${NAMES} } = require('integration-guard');

${doc(APP_TYPE)}
async function ${FUNCTION_NAME}(app) {
${body}}

module.exports = { ${FUNCTION_NAME} };
`;
  }
}

const APP_TYPE = " * @param {import('aws-cdk-lib').App} app\n";

function addStack(indent: string): string {
  return `try {
  const settings = loadSettings(app);
  // The deployed stack lets the guard adopt existing secrets and refuse a change that would lose data.
  const deployed = await readDeployedGuard({ stackName, projects: settings.projects });
  new IntegrationGuardStack(app, stackName, { ...settings, deployed });
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  console.error(error.message);
  process.exit(1);
}
`.replace(/^(?=.)/gm, indent);
}

/** The line that imports the function into the app's entry file. */
export function importLine(style: ModuleStyle, specifier: string): string {
  return style === 'commonjs'
    ? `const { ${FUNCTION_NAME} } = require('${specifier}');`
    : `import { ${FUNCTION_NAME} } from '${specifier}';`;
}
