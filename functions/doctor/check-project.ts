import { describeError } from '../guard/errors.ts';
import type { IntegrationRecord } from '../guard/model/integration.ts';
import { findWithoutEffectOn } from '../guard/policy/without-effect.ts';
import type { IntegrationsApi, Ledger } from '../guard/ports.ts';
import type { Policy } from '../guard/settings/schema.ts';
import { plural, safeText } from '../guard/text/sanitize.ts';
import { describeMinutes } from '../guard/text/time.ts';
import type { KeySource } from '../qonversion/secret-key.ts';
import { adviceOnQonversion } from './advice.ts';
import { checkClock } from './check-clock.ts';
import { checkLedger, type LedgerPlace } from './check-ledger.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { toSentence } from './to-sentence.ts';

/** Checks of one project, wherever the guard runs: its key, its API, its ledger, its policy. */

/** The input for the checks of one project. */
export interface ProjectCheck {
  readonly name: string;
  readonly policy: Policy;
  readonly apiUrl: string;
  readonly key: KeySource;
  readonly api: IntegrationsApi;
  /** Whether the fleet's runs start its passes, not a schedule of its own. */
  readonly ofFleet: boolean;
}

/** The findings about one project. */
export interface CheckedProject {
  readonly findings: readonly Finding[];
  /** Whether the project has a key. Without one every pass fails, so a second finding would add nothing. */
  readonly hasKey: boolean;
}

/** The ledger and the time of the checks. */
export interface ProjectContext {
  readonly ledger: Pick<Ledger, 'read' | 'history'>;
  readonly place: LedgerPlace;
  readonly now: string;
  /** The name of a check, with the project if there are several. */
  readonly of: (check: string) => string;
}

export async function checkProject(project: ProjectCheck, context: ProjectContext): Promise<CheckedProject> {
  const { name, policy } = project;
  const { ledger, place, now, of } = context;
  const key = await checkKey(project, context);
  const hasKey = key.level === 'ok';
  const api = hasKey ? await checkApi(project, context) : { findings: [], records: [] };
  // Passes fail for the reason that was found above, so it is not reported twice.
  const isAnswering =
    hasKey && api.findings.every(({ check, level }) => check !== of('Qonversion API') || level !== 'problem');
  const known = await checkLedger({ ledger, name, place, now, isAnswering, of });
  const fromLedger = isAnswering ? known : known.filter(({ check }) => check !== of('passes'));
  return { hasKey, findings: [key, ...api.findings, ...fromLedger, ...checkPolicy(policy, api.records, of)] };
}

async function checkKey({ key }: ProjectCheck, { of, place }: ProjectContext): Promise<Finding> {
  const check = of('secret key');
  try {
    await key.get();
    return ok(check, 'It is set and has the form of a Secret Key.');
  } catch (error) {
    // The message has the command that fills it.
    return problem(
      check,
      toSentence(describeError(error)),
      `${place === 'file' ? 'Set' : 'Fill'} it, then run the doctor again. No pass can run until then.`,
    );
  }
}

async function checkApi(
  { api, apiUrl }: ProjectCheck,
  { place, now, of }: ProjectContext,
): Promise<{ readonly findings: readonly Finding[]; readonly records: readonly IntegrationRecord[] }> {
  try {
    const { records, invalid, clockAheadMs } = await api.list();
    const count = (state: 0 | 1 | 2) => records.filter(({ active }) => active === state).length;
    const states = `${count(1)} active, ${count(0)} paused, ${count(2)} suspended`;
    const answers = ok(
      of('Qonversion API'),
      `${apiUrl} answers: ${plural(records.length, 'integration')} (${states}).`,
    );
    const [first] = invalid;
    const unreadable =
      first === undefined
        ? []
        : [
            warning(
              of('records'),
              `The guard cannot read ${plural(invalid.length, 'record')}, so it does not guard them (${safeText(`${first.id ?? 'one without a readable id'}: ${first.problem}`, 200)}).`,
              'Update the guard. If that does not help, report it.',
            ),
          ];
    return {
      findings: [answers, ...unreadable, checkClock(of('clock'), clockAheadMs, records, now)],
      // A setting may match a record that cannot be read.
      records: first === undefined ? records : [],
    };
  } catch (error) {
    return {
      findings: [problem(of('Qonversion API'), toSentence(describeError(error)), adviceOnQonversion(error, place))],
      records: [],
    };
  }
}

function checkPolicy(
  policy: Policy,
  records: readonly IntegrationRecord[],
  of: (check: string) => string,
): readonly Finding[] {
  const limits = `${plural(policy.errorThreshold, 'failure')} over ${describeMinutes(policy.failingForMinutes)} without a delivery`;
  const mode =
    policy.mode === 'observe'
      ? warning(
          of('policy'),
          'Observe mode: the guard reports what it would do, and changes nothing.',
          'Set "mode" to "enforce" when you agree with its would-pause alerts.',
        )
      : ok(of('policy'), `The guard pauses at ${limits}.`);
  const found = findWithoutEffectOn(policy, 'policy', records);
  const idle = found
    .filter(({ kind }) => kind !== 'all-ignored')
    .map(({ path, message, action }) => warning(of('policy'), `${path} ${message}`, action));
  const allIgnored = found.find(({ kind }) => kind === 'all-ignored');
  if (allIgnored === undefined) return [mode, ...idle];
  // The limits, or observe mode, would describe work that the guard does not do.
  const message = `The guard does nothing for this project: ${allIgnored.path} ${allIgnored.message}`;
  return [warning(of('policy'), message, allIgnored.action), ...idle];
}
