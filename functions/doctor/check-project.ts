import { describeError } from '../guard/errors.ts';
import type { IntegrationsApi, Ledger } from '../guard/ports.ts';
import type { Policy } from '../guard/settings/schema.ts';
import { plural, safeText } from '../guard/text/sanitize.ts';
import { describeMinutes } from '../guard/text/time.ts';
import type { KeySource } from '../qonversion/secret-key.ts';
import { checkSafely, type Finding, ok, problem, warning } from './finding.ts';

/** Checks of one project, wherever the guard runs: its key, its API, its ledger, its policy. */

/** What it takes to check one project. */
export interface ProjectCheck {
  readonly name: string;
  readonly policy: Policy;
  readonly apiUrl: string;
  readonly key: KeySource;
  readonly api: IntegrationsApi;
  /** Whether runs over the fleet start its passes, and not a schedule of its own. */
  readonly ofFleet: boolean;
}

/** `several`: whether findings have to name the project. */
export async function checkProject(
  project: ProjectCheck,
  ledger: Ledger,
  several: boolean,
): Promise<readonly Finding[]> {
  const { name, policy, apiUrl, key, api } = project;
  const of = (check: string) => (several ? `${check} of ${name}` : check);
  const findings: Finding[] = [];
  try {
    await key.get();
    findings.push(ok(of('secret key'), 'is there, and looks like one'));
  } catch (error) {
    // The message has the command that fills it.
    findings.push(problem(of('secret key'), describeError(error), 'fill it, then run the doctor again'));
    return findings;
  }
  findings.push(...(await checkApi(api, of, apiUrl)));
  findings.push(await checkSafely(of('ledger'), () => checkLedger(ledger, name, of('ledger'))));
  findings.push(
    policy.mode === 'observe'
      ? warning(
          of('policy'),
          'observe mode: the guard reports what it would do, and touches nothing',
          'set "mode": "enforce" when you agree with its would-pause mails',
        )
      : ok(
          of('policy'),
          `pauses at ${plural(policy.errorThreshold, 'failure')} over ${describeMinutes(policy.failingForMinutes)} without a delivery`,
        ),
  );
  return findings;
}

async function checkApi(
  api: IntegrationsApi,
  of: (check: string) => string,
  apiUrl: string,
): Promise<readonly Finding[]> {
  try {
    const { records, invalid, clockAheadMs } = await api.list();
    const count = (state: 0 | 1 | 2) => records.filter(({ active }) => active === state).length;
    const states = `${count(1)} active, ${count(0)} paused, ${count(2)} suspended`;
    const findings = [
      ok(of('Qonversion API'), `${apiUrl} answers: ${plural(records.length, 'integration')} (${states})`),
    ];
    const [first] = invalid;
    if (first !== undefined) {
      const which = safeText(`${first.id ?? 'one without a readable id'}: ${first.problem}`, 200);
      findings.push(
        warning(
          of('records'),
          `${plural(invalid.length, 'record')} cannot be read and so not guarded (${which})`,
          'update the guard; if that does not help, report it',
        ),
      );
    }
    if (Math.abs(clockAheadMs) >= CLOCKS_APART_MS) {
      findings.push(
        warning(
          of('clock'),
          `this machine and Qonversion are ${describeMinutes(Math.round(Math.abs(clockAheadMs) / 60_000))} apart; the guard counts by Qonversion's clock, or by the one that makes less time pass when they are further apart than half an hour`,
          "set this machine's clock",
        ),
      );
    }
    return findings;
  } catch (error) {
    return [
      problem(of('Qonversion API'), describeError(error), 'check the key, "apiUrl" in the settings, and the network'),
    ];
  }
}

/** Clocks that differ by less do so everywhere. */
const CLOCKS_APART_MS = 2 * 60_000;

async function checkLedger(ledger: Ledger, project: string, check: string): Promise<Finding> {
  const { integrations } = await ledger.read(project);
  const stopped = [...integrations.values()].filter(
    ({ entry }) => entry.state.name === 'open' || entry.state.name === 'half-open',
  ).length;
  const remembers =
    integrations.size === 0 ? 'nothing to remember yet' : `remembers ${plural(integrations.size, 'integration')}`;
  return ok(check, `can be read: ${remembers}${stopped === 0 ? '' : `, ${plural(stopped, 'circuit')} not closed`}`);
}
