import { existsSync, readFileSync } from 'node:fs';
import type { IConstruct } from 'constructs';
import { SettingsError } from '../functions/guard/errors.ts';
import { parseSettings } from '../functions/guard/settings/schema.ts';
import { CONTEXT_KEY, readSettingsFile, repeatedEntries } from '../functions/local/settings-file.ts';
import type { IntegrationGuardProps, ProjectProps } from './props.ts';

const CDK_JSON = 'cdk.json';

/** Settings as a file or `cdk.json` has them: plain values, checked. They can be given to the construct as they are. */
export type LoadedSettings = Omit<IntegrationGuardProps, 'schedule'> & {
  readonly schedule: string;
  readonly projects: Readonly<Record<string, ProjectProps>>;
};

/**
 * The settings to deploy: the file named by `-c settings=FILE`, else by the environment variable GUARD_SETTINGS, else what the
 * context `integration-guard` of `cdk.json` says.
 * @param scope the app, or anything in it
 * @throws SettingsError with one line per fault
 */
export function loadSettings(
  scope: IConstruct,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): LoadedSettings {
  // JSON has no undefined values, which is all that the two types differ in.
  return read(scope, environment) as LoadedSettings;
}

function read({ node }: IConstruct, environment: Readonly<Record<string, string | undefined>>): unknown {
  const file: unknown = node.tryGetContext('settings') ?? environment.GUARD_SETTINGS;
  if (typeof file === 'string' && file !== '') return readSettingsFile(file);

  const context: unknown = node.tryGetContext(CONTEXT_KEY);
  if (context === undefined) {
    throw new SettingsError([`context.${CONTEXT_KEY}: expected the guard's settings, got nothing`], CDK_JSON);
  }
  // The CDK CLI has parsed cdk.json by now, and of two entries of one name it has kept the last.
  const repeated = existsSync(CDK_JSON) ? repeatedEntries(readFileSync(CDK_JSON, 'utf8'), CDK_JSON) : [];
  if (repeated.length > 0) throw new SettingsError(repeated, CDK_JSON);
  return parseSettings(context, CDK_JSON);
}
