import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shellWord } from '../guard/model/command-line.ts';
import { PRODUCTION_KEY } from './server.ts';

/** A folder for a guard beside a sandbox: the settings, and a place for the ledger. */
export interface GuardFolder {
  readonly settingsFile: string;
  readonly ledgerFile: string;
  /** One line of shell that makes `integration-guard` work on the sandbox. */
  readonly exportLine: string;
  writeSettings(settings: object): void;
  remove(): void;
}

/** `remove` deletes the folder, and so does the exit of the process. */
export function createGuardFolder(): GuardFolder {
  const folder = mkdtempSync(join(tmpdir(), 'integration-guard-'));
  const settingsFile = join(folder, 'settings.json');
  const ledgerFile = join(folder, 'ledger.json');
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  return {
    settingsFile,
    ledgerFile,
    exportLine: `export QONVERSION_SECRET_KEY=${PRODUCTION_KEY} GUARD_SETTINGS=${shellWord(settingsFile)} GUARD_LEDGER=${shellWord(ledgerFile)}`,
    writeSettings: (settings) => writeFileSync(settingsFile, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 }),
    remove: () => {
      process.off('exit', remove);
      remove();
    },
  };
}
