import { existsSync, readFileSync } from 'node:fs';
import type { Node } from 'constructs';
import { SettingsError } from '../functions/guard/errors.ts';
import { parseSettings, type Settings } from '../functions/guard/settings/schema.ts';
import { CONTEXT_KEY, readSettingsFile, repeatedEntries } from '../functions/local/settings-file.ts';

const CDK_JSON = 'cdk.json';

/**
 * The settings to deploy: the file named by `-c settings=FILE`, else by GUARD_SETTINGS, else `cdk.json`'s own.
 * @throws SettingsError with one line per fault
 */
export function loadSettings(node: Node, environment: Readonly<Record<string, string | undefined>>): Settings {
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
