import writeFileAtomic from 'write-file-atomic';
import { SettingsError } from '../guard/errors.ts';
import { safePath } from '../guard/safe-sentence.ts';
import { showPath, showValue } from '../guard/settings/fault.ts';
import { type ChangedDefault, migrateSettings } from '../guard/settings/migrate.ts';
import { findMisplacedSecrets, parseSettings, unlessTooDeep } from '../guard/settings/schema.ts';
import { editJson } from '../local/edit-json.ts';
import { findSettings, type NamedBy, readSettingsText } from '../local/settings-file.ts';

/** The result of `settings migrate`, as `--json` prints it: a settings file of version 0.1 becomes one of this version. */
export interface MigratedFile {
  readonly file: string;
  /** Whether the file was written. False in a dry run, or when there was nothing to change. */
  readonly changed: boolean;
  readonly changes: readonly {
    /** The path of the old setting. */
    readonly path: string;
    /** The old setting, by its name; or the whole override. */
    readonly from: unknown;
    /** The new setting, by its name; null when the old one was removed. */
    readonly to: unknown;
    readonly why: string;
  }[];
  /** Settings that are left out and whose default differs from version 0.1. */
  readonly defaults: readonly ChangedDefault[];
  /** Settings that stay as they are but have another meaning than in version 0.1. */
  readonly reread: readonly { readonly path: string; readonly why: string }[];
}

/**
 * @throws SettingsError, and writes nothing, when today's schema would refuse the changed settings
 * @throws the system's error when the file cannot be written
 */
export function migrateSettingsFile(
  file: string,
  { dryRun, namedBy }: { readonly dryRun: boolean; readonly namedBy: NamedBy },
): MigratedFile {
  const text = readSettingsText(file, namedBy);
  return unlessTooDeep(file, () => {
    const { document, at } = findSettings(text, file);
    const secrets = findMisplacedSecrets(document);
    if (secrets.length > 0) throw new SettingsError(secrets, file);
    const { changes, conflicts, defaults, reread } = migrateSettings(document);
    if (conflicts.length > 0) {
      const faults = conflicts.map(
        ({ path, old, name }) => `${showPath(path)}: expected one of "${old}" and "${name}" (its name now), got both`,
      );
      throw new SettingsError([...faults, UNTOUCHED], file);
    }
    const [mark, json] = text.startsWith(BYTE_ORDER_MARK) ? [BYTE_ORDER_MARK, text.slice(1)] : ['', text];
    const migrated = `${mark}${editJson(
      json,
      changes.map(({ path, to }) => ({ path: [...at, ...path], to })),
    )}`;
    checkSettings(migrated, file);
    const isWritten = changes.length > 0 && !dryRun;
    if (isWritten) writeFileAtomic.sync(file, migrated);
    return {
      file,
      changed: isWritten,
      changes: changes.map(({ path, from, to, why }) => ({
        path: showPath(path),
        from: named(path.at(-1), from),
        to: to && { [to.name]: to.value },
        why,
      })),
      defaults,
      reread: reread.map(({ path, why }) => ({ path: showPath(path), why })),
    };
  });
}

function named(name: string | number | undefined, value: unknown): unknown {
  return typeof name === 'string' ? { [name]: value } : value;
}

/** Some editors write a byte-order mark. */
const BYTE_ORDER_MARK = '\ufeff';

const UNTOUCHED = 'nothing was written; change this in the file, then run the command again';

function checkSettings(text: string, file: string): void {
  try {
    parseSettings(findSettings(text, file).document, file);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    throw new SettingsError([...error.faults, UNTOUCHED], file);
  }
}

export function formatMigration({ file, changed, changes, defaults, reread }: MigratedFile): string {
  const count = `${changes.length} ${changes.length === 1 ? 'setting' : 'settings'}`;
  const headline =
    changes.length === 0
      ? 'nothing to migrate'
      : changed
        ? `${count} changed`
        : `${count} would change; nothing was written`;
  return [
    `${safePath(file)}: ${headline}.`,
    ...changes.map(
      ({ path, from, to, why }) =>
        `  ${path}: ${showValue(from)} ${to === null ? 'is removed' : `→ ${showValue(to)}`}: ${why}`,
    ),
    ...section(
      'Left out; the default differs from version 0.1:',
      defaults.map(
        ({ path, from, to, why }) => `${path}: ${showValue(to)} (in version 0.1: ${showValue(from)}): ${why}`,
      ),
    ),
    ...section(
      'Kept, but with another meaning than in version 0.1:',
      reread.map(({ path, why }) => `${path}: ${why}`),
    ),
  ].join('\n');
}

function section(heading: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', heading, ...lines.map((line) => `  ${line}`)];
}
