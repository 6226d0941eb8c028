import { existsSync } from 'node:fs';
import type { IConstruct, Node } from 'constructs';
import { SettingsError } from '../functions/guard/errors.ts';
import { showName } from '../functions/guard/settings/fault.ts';
import { parseSettings } from '../functions/guard/settings/schema.ts';
import { isSlipOf, nearest } from '../functions/guard/text/nearest.ts';
import { parseJson } from '../functions/local/json-text.ts';
import { CONTEXT_KEY, noSettings, readSettingsFile, readSettingsText } from '../functions/local/settings-file.ts';
import type { IntegrationGuardProps, ProjectProps } from './props.ts';

const CDK_JSON = 'cdk.json';

/** Checked settings from a file or `cdk.json`: plain values, which are valid properties of the construct. */
export type LoadedSettings = Omit<IntegrationGuardProps, 'schedule'> & {
  readonly schedule: string;
  readonly projects: Readonly<Record<string, ProjectProps>>;
};

/**
 * The settings to deploy: from the file that `-c settings=FILE` names, else from the file that the environment variable
 * GUARD_SETTINGS names, else from the context `integration-guard` of `cdk.json`.
 * @param scope the app, or anything in it
 * @throws SettingsError with one line per fault
 */
export function loadSettings(
  scope: IConstruct,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): LoadedSettings {
  // The two types differ only in undefined values, which JSON does not have.
  return read(scope, environment) as LoadedSettings;
}

/** The context key that names the settings file. */
const FILE_KEY = 'settings';

function read({ node }: IConstruct, environment: Readonly<Record<string, string | undefined>>): unknown {
  refuseMisspelt(node, FILE_KEY);
  // The key may hold the app's own data, so only a string counts.
  const given: unknown = node.tryGetContext(FILE_KEY);
  if (given === '') throw new SettingsError(['expected a file, got nothing'], '-c settings=FILE');
  if (typeof given === 'string') return readSettingsFile(given, '-c settings=FILE');
  const { GUARD_SETTINGS: file = '' } = environment;
  if (file !== '') return readSettingsFile(file, 'GUARD_SETTINGS');

  // The CDK CLI has parsed cdk.json and kept only the last of duplicate entries.
  const { repeated } = existsSync(CDK_JSON) ? parseJson(readSettingsText(CDK_JSON), CDK_JSON) : { repeated: [] };
  const context: unknown = node.tryGetContext(CONTEXT_KEY);
  if (context === undefined) {
    const meant = nearest(CONTEXT_KEY, ownKeys(node));
    throw new SettingsError([noSettings(meant)], CDK_JSON);
  }
  if (repeated.length > 0) throw new SettingsError(repeated, CDK_JSON);
  return parseSettings(context, CDK_JSON);
}

/**
 * Refuses a context key from the command line that is almost one of the guard's, because other settings would be deployed silently.
 * It ignores the keys in cdk.json, which are the app's own, and CDK's keys, which have a colon or a slash.
 * @throws SettingsError that names the key
 */
export function refuseMisspelt(node: Node, key: string): void {
  if (node.tryGetContext(key) !== undefined) return;
  const known = existsSync(CDK_JSON) ? contextOf(parseJson(readSettingsText(CDK_JSON), CDK_JSON).document) : [];
  const given = ownKeys(node).filter((each) => !known.includes(each) && typeof node.tryGetContext(each) === 'string');
  const slip = given.find((each) => isSlipOf(key, each));
  if (slip !== undefined)
    throw new SettingsError(
      [`unknown context key "${showName(slip)}"; did you mean -c ${key}=…? (put your own keys into cdk.json)`],
      `-c ${showName(slip)}=…`,
    );
}

function ownKeys(node: Node): readonly string[] {
  // Early versions of constructs 10 cannot list the context, so a misspelt key goes unnoticed there.
  const { getAllContext }: Partial<Pick<Node, 'getAllContext'>> = node;
  const context: unknown = getAllContext?.call(node);
  return Object.keys(typeof context === 'object' && context !== null ? context : {}).filter((key) => !/[:/]/.test(key));
}

function contextOf(document: unknown): readonly string[] {
  const { context } = ((typeof document === 'object' ? document : null) as { readonly context?: unknown } | null) ?? {};
  return typeof context === 'object' && context !== null ? Object.keys(context) : [];
}
