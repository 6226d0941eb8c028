import { planPass } from '../../functions/guard/pass/run-pass.ts';
import { redactCredentials } from '../../functions/guard/text/credentials.ts';
import { normalise } from '../../functions/guard/text/normalise.ts';
import { redactPersonalData } from '../../functions/guard/text/personal-data.ts';
import { safeText } from '../../functions/guard/text/sanitize.ts';
import { createView, USUAL_CHOICE } from '../../functions/panel/view.ts';
import { createRandom } from '../faults/random.ts';
import { addBusy, createHarness } from '../support/harness.ts';
import type { Kind } from './kind.ts';

/** Text that makes a pattern backtrack. Eight times the text may take a little more than eight times as long. */
export const textCost: Kind = {
  name: 'text-cost',
  promise:
    'The time to sanitize external text is at most proportional to its length, and stops growing at a few thousand characters.',
  attack: async (size) => {
    const violations: string[] = [];
    let tried = 0;
    const parts = size === 'quick' ? [...partsOf(20)].filter((_, index) => index % 8 === 0) : partsOf(40);
    for (const part of parts) {
      for (const [name, step] of STEPS) {
        tried += 1;
        const excess = growth(step, part, size === 'quick' ? 12_000 : 100_000);
        if (excess !== null) violations.push(`${name} of ${JSON.stringify(part)} repeated: ${excess}`);
      }
      tried += 1;
      const unbounded = growth((text) => safeText(text, 300), part, 200_000, 4);
      if (unbounded !== null) violations.push(`safeText reads all of ${JSON.stringify(part)}: ${unbounded}`);
    }
    for (const part of size === 'quick' ? ['eyJ-'] : ['eyJ-', '\u001b]', 'a=', 'key=[', 'HTTP 503 ']) {
      tried += 1;
      const [calm, hostile] = [await panelTime('HTTP 503 '), await panelTime(part)];
      if (hostile > 20 * calm + 200)
        violations.push(
          `a panel full of ${JSON.stringify(part)} takes ${hostile.toFixed(0)} ms, otherwise ${calm.toFixed(0)}`,
        );
    }
    return { tried, violations };
  },
};

const STEPS = Object.entries({ normalise, redactCredentials, redactPersonalData });

/** The beginnings, repeated parts and lookaheads of the patterns. */
const BEGINNINGS: readonly string[] = [
  'eyJ-',
  'eyJ',
  '\u001b]',
  '\u001b[',
  '\u001bP',
  '\u009b',
  '\u0090',
  'a=',
  '://',
  '://a:',
  '://a:b',
  '://a:b@',
  'cookie:',
  'cookie: a=b;',
  'cookie: a',
  '\u0301',
  'a\u0301',
  'key=',
  'key=[',
  'key="',
  "key='",
  'key: ',
  '"password":"',
  'password is ',
  'password ',
  'password: a ',
  'password: \u201cinvalid ',
  'Authorization: ',
  'Authorization: Digest a="',
  'Authorization: a a=',
  'bearer ',
  'digest a=',
  'basic a',
  '<a>',
  '<a ',
  '<key>',
  '-----BEGIN ',
  '-----BEGIN PRIVATE KEY-----',
  '-----END ',
  'a.',
  '.a',
  'a-',
  '-',
  '_',
  '\\',
  '\\\\"',
  '%',
  '%3D',
  '%22',
  '%40',
  '&quot;',
  '[',
  '[a',
  '(0',
  '(030) ',
  '0',
  '1',
  '1 ',
  '1-',
  '1.',
  '1.1.1.',
  '+1',
  '+',
  '00',
  ':',
  'a:',
  '::',
  '1:',
  'f:',
  '@',
  'a@',
  'a@a.',
  "'",
  "a'",
  'a+',
  '"a@',
  '4111 ',
  '4111',
  'DE89 ',
  'DE89',
  'aa11',
  'A1a/',
  'A1',
  'hooks.slack.com/',
  'discord.com/api/webhooks/',
  'n8n.',
  'n8n.a.',
  'm.pipedream.net',
  'a.m.pipedream.net',
  'webhook/',
  'AKIA',
  'sk_',
  'AAAAAAAA:APA91b',
  'xoxb-',
  'name:"key",',
  'value=',
  'token, ',
  "','",
  ' is ',
  ' was ',
  '--token ',
  '-u a:',
  '\t',
  ' ',
  '\n',
  '\u2800',
  '\u{e0041}',
  '\ud800',
  '\uff0b',
  '\u0660',
  '\u3002',
  'phone ',
  'phone number is ',
  'tel:',
  'x',
  '=',
  '\u00e9',
];

function* partsOf(count: number): Generator<string> {
  yield* BEGINNINGS;
  const random = createRandom(5);
  const alphabet = Array.from(new Set(BEGINNINGS.join('')));
  for (let index = 0; index < count; index += 1)
    yield random.oneIn(2)
      ? Array.from({ length: 1 + random.below(6) }, () => random.pick(alphabet)).join('')
      : random.pick(BEGINNINGS) + random.pick(BEGINNINGS);
}

/**
 * The excess growth of one step's time; null if it is proportional to the text. Measured again before it counts,
 * because the machine is shared.
 */
function growth(step: (text: string) => string, part: string, most: number, factor = 24): string | null {
  const [short, long] = [part.repeat(most / 8 / part.length), part.repeat(most / part.length)];
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const [before, after] = [fastest(() => step(short), attempt + 1), fastest(() => step(long), attempt + 1)];
    // Below a few milliseconds a clock is too imprecise. Quadratic time is far above that.
    if (after < 20 || after < factor * before) return null;
    if (attempt === 3)
      return `${before.toFixed(1)} ms for ${short.length} characters, ${after.toFixed(1)} ms for ${long.length}`;
  }
  return null;
}

function fastest(run: () => void, times = 2): number {
  return Math.min(
    ...Array.from({ length: times }, () => {
      const begin = performance.now();
      run();
      return performance.now() - begin;
    }),
  );
}

/** The panel's time for 300 integrations with texts of 4 kB each. */
async function panelTime(part: string): Promise<number> {
  const text = part.repeat(4_096 / part.length);
  const harness = createHarness();
  for (let index = 0; index < 300; index += 1) addBusy(harness, `i${index}`, { title: text });
  harness.world.advance(5);
  for (let index = 0; index < 300; index += 1) harness.world.breakDown(`i${index}`, text);
  harness.world.advance(20);
  const plan = await planPass(harness.ports, harness.project);
  return fastest(() => createView(harness.project, plan, [], USUAL_CHOICE));
}
