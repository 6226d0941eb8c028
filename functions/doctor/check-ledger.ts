import { describeError, LedgerFormatError } from '../guard/errors.ts';
import type { Entry, OutboxItem, ProjectEntry } from '../guard/model/entry.ts';
import type { CheckableLedger, Ledger } from '../guard/ports.ts';
import { plural, safeText } from '../guard/text/sanitize.ts';
import { describeMoment, minutesBetween } from '../guard/text/time.ts';
import { adviceOnLedgerFile, adviceOnLedgerTable } from './advice.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { toSentence } from './to-sentence.ts';

/** Checks of the ledger: whether a pass can write it, and the entries of each project. */

/** Where the ledger is: on this machine, or in a stack. */
export type LedgerPlace = 'file' | 'stack';

/** Writes an entry that no pass reads, and removes it. */
export async function checkLedgerWrite(
  ledger: Pick<CheckableLedger, 'place' | 'checkWrite'>,
  place: LedgerPlace,
): Promise<Finding> {
  const check = place === 'file' ? 'ledger file' : 'ledger table';
  try {
    await ledger.checkWrite();
    return ok(check, `${ledger.place} can be written: a test entry was written and removed.`);
  } catch (error) {
    return ledgerProblem(check, error, place);
  }
}

/** The input for the check of one project in the ledger. */
export interface ProjectInLedger {
  readonly ledger: Pick<Ledger, 'read' | 'history'>;
  readonly name: string;
  readonly place: LedgerPlace;
  readonly now: string;
  /** Whether Qonversion accepted the key and answered, a moment ago. */
  readonly isAnswering: boolean;
  /** The name of a check, with the project if there are several. */
  readonly of: (check: string) => string;
}

export async function checkLedger(project: ProjectInLedger): Promise<readonly Finding[]> {
  const { ledger, name, place, of } = project;
  try {
    const { project: own, integrations } = await ledger.read(name);
    const entries = [...integrations.values()].map(({ entry }) => entry);
    return [
      ok(of('ledger'), describeEntries(entries)),
      ...undelivered([...entries, ...(own === null ? [] : [own.entry])], project),
      ...(own === null ? [] : await failingPasses(own.entry, project)),
    ];
  } catch (error) {
    return [ledgerProblem(of('ledger'), error, place)];
  }
}

function describeEntries(entries: readonly Entry[]): string {
  if (entries.length === 0) return 'It can be read, and has no entry yet.';
  const count = (state: Entry['state']['name']) => entries.filter(({ state: { name } }) => name === state).length;
  const [open, halfOpen, isolated] = [count('open'), count('half-open'), count('isolated')];
  const states = [
    ...(open === 0 ? [] : [`${open} stopped by the guard or Qonversion`]),
    ...(halfOpen === 0 ? [] : [`${halfOpen} being probed`]),
    ...(isolated === 0 ? [] : [`${isolated} paused by an operator`]),
  ];
  const rest = states.length === 0 ? '' : ` (${states.join(', ')})`;
  return `It can be read, and has entries of ${plural(entries.length, 'integration')}${rest}.`;
}

/** A pass publishes its alerts at once. The next pass repeats those that were not accepted. */
const LATE_MINUTES = 15;

function undelivered(
  entries: readonly { readonly outbox: readonly OutboxItem[] }[],
  { place, now, of }: ProjectInLedger,
): readonly Finding[] {
  const times = entries.flatMap(({ outbox }) => outbox.map(({ event }) => event.time)).sort();
  const late = times.filter((time) => minutesBetween(time, now) >= LATE_MINUTES);
  const [oldest] = late;
  if (oldest === undefined) return [];
  const message = `${plural(late.length, 'alert')} not delivered yet, the oldest from ${describeMoment(oldest, now)}.`;
  const action =
    place === 'file'
      ? 'Run `npx integration-guard run`, which shows them.'
      : 'Find the answer of SNS in the log of the pass function, and check the policy and the key of the alerts topic.';
  return [warning(of('alerts'), message, action)];
}

/**
 * Reasons that the doctor's own request to Qonversion refutes. It does not refute "the secret … cannot be read": the role of the
 * passes may still lack the permission.
 */
const OF_KEY_OR_API =
  /^(?:Qonversion |QONVERSION_SECRET_KEY |(?:the field "[^"]*" of )?the secret "[^"]*" (?!cannot be read))/;

async function failingPasses(
  { notices }: ProjectEntry,
  { ledger, name, now, isAnswering, of }: ProjectInLedger,
): Promise<readonly Finding[]> {
  if (notices.failing === undefined) return [];
  const { since, lastAt } = notices.failing;
  const events = await ledger.history(name, since < lastAt ? since : lastAt);
  const reason = events.findLast(({ type }) => type === 'guard.failing')?.reason ?? 'the history does not say why';
  if (isAnswering && OF_KEY_OR_API.test(reason))
    return [
      warning(
        of('passes'),
        `Passes have failed since ${describeMoment(since, now)} (${safeText(reason, 300)}). The cause seems fixed: Qonversion now accepts the key and answers.`,
        'Run a pass (`npx integration-guard run`), or wait for the next one.',
      ),
    ];
  const message = `Passes have failed since ${describeMoment(since, now)}: ${toSentence(safeText(reason, 300))}`;
  return [problem(of('passes'), message, 'Fix what it names. The next pass then runs.')];
}

function ledgerProblem(check: string, error: unknown, place: LedgerPlace): Finding {
  const message = error instanceof LedgerFormatError ? error.what : describeError(error);
  const action = place === 'file' ? adviceOnLedgerFile(error) : adviceOnLedgerTable(error);
  return problem(check, toSentence(message), action);
}
