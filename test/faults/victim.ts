import { runPass } from '../../functions/guard/pass/run-pass.ts';
import { createQonversionClient } from '../../functions/qonversion/client.ts';
import { SecretKey } from '../../functions/qonversion/secret-key.ts';
import { PRODUCTION_KEY } from '../../functions/sandbox/server.ts';
import { CRASH_PROJECT } from './crash.ts';
import { createCountingGate, createCrashGate, type Moment } from './effects.ts';
import { type Elsewhere, portsElsewhere } from './places.ts';

/** Runs a pass in a separate process, with the real client and adapters. SIGKILL ends it at one of its effects. */
export interface VictimInput {
  readonly elsewhere: Elsewhere;
  readonly apiUrl: string;
  readonly now: string;
  /** Without this the pass runs to its end and sends its effects to the parent. */
  readonly dies?: { readonly n: number; readonly when: Moment };
}

/** The message of a pass that ran to its end. */
export interface VictimAnswer {
  readonly effects: readonly string[];
}

const input = JSON.parse(process.argv[2] ?? '') as VictimInput;
const { dies } = input;
// SIGKILL cannot be caught: no catch block or exit handler runs, and no socket is closed in order.
const kill = () => process.kill(process.pid, 'SIGKILL');
const gate = dies === undefined ? createCountingGate() : createCrashGate(dies.n, dies.when, kill);
const clock = { now: () => new Date(input.now) };
const key = new SecretKey(PRODUCTION_KEY);
const source = { get: async () => key, renew: async () => key };
const api = createQonversionClient({ apiUrl: input.apiUrl, key: source, clock, remainingMs: () => 60_000 });
await runPass(portsElsewhere(input.elsewhere, api, clock, gate), CRASH_PROJECT);
process.send?.({ effects: gate.effects } satisfies VictimAnswer);
