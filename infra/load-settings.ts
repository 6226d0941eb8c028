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

/** The context key that names the settings file. */
const FILE_KEY = 'settings';

function read({ node }: IConstruct, environment: Readonly<Record<string, string | undefined>>): unknown {
  refuseMisspelt(node, FILE_KEY);
  // An app may keep something of its own under this key.
  const given: unknown = node.tryGetContext(FILE_KEY);
  if (given === '') throw new SettingsError(['expected a file, got nothing'], '-c settings=FILE');
  if (typeof given === 'string') return readSettingsFile(given, '-c settings=FILE');
  const { GUARD_SETTINGS: file = '' } = environment;
  if (file !== '') return readSettingsFile(file, 'GUARD_SETTINGS');

  // The CDK CLI has parsed cdk.json by now, and of two entries of one name it has kept the last.
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
 * A context key that the CDK CLI was given by hand and that is almost one of ours: without a word, other settings would be deployed.
 * Keys that cdk.json has are the app's own, and so are CDK's, which have a colon or a slash.
 * @throws SettingsError that names the key
 */
export function refuseMisspelt(node: Node, key: string): void {
  if (node.tryGetContext(key) !== undefined) return;
  const known = existsSync(CDK_JSON) ? contextOf(parseJson(readSettingsText(CDK_JSON), CDK_JSON).document) : [];
  const given = ownKeys(node).filter((each) => !known.includes(each) && typeof node.tryGetContext(each) === 'string');
  const slip = given.find((each) => isSlipOf(key, each));
  if (slip !== undefined)
    throw new SettingsError(
      [`unknown context key "${showName(slip)}"; did you mean -c ${key}=…? (a key of your own goes into cdk.json)`],
      `-c ${showName(slip)}=…`,
    );
}

function ownKeys(node: Node): readonly string[] {
  const context: unknown = node.getAllContext();
  return Object.keys(typeof context === 'object' && context !== null ? context : {}).filter((key) => !/[:/]/.test(key));
}

function contextOf(document: unknown): readonly string[] {
  const { context } = ((typeof document === 'object' ? document : null) as { readonly context?: unknown } | null) ?? {};
  return typeof context === 'object' && context !== null ? Object.keys(context) : [];
}
