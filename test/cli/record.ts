import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/**
 * `npm run record` runs each command of `integration-guard` against the sandbox after the demo's afternoon, and writes the session to
 * docs/commands.md.
 */

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../../functions/cli/main.ts', import.meta.url));
const COLUMNS = '112';

const NEW_LEDGER = join(await mkdtemp(join(tmpdir(), 'integration-guard-')), 'new-ledger.json');

type Step = { readonly says: string; readonly runs: string };

const SESSION: readonly Step[] = [
  { says: 'What there is.', runs: 'integration-guard --help' },
  { says: 'Is everything as it should be?', runs: 'integration-guard doctor' },
  {
    says: 'Which projects there are; with `--stack NAME` those of its fleet as well.',
    runs: 'integration-guard projects',
  },
  { says: 'Every integration, and what the guard does next about it.', runs: 'integration-guard list' },
  {
    says: 'AppsFlyer begins to fail, and its record says that it has failed for two hours.',
    runs: `sandbox break {"id":"af-ios","message":"HTTP 500","hoursAgo":2}`,
  },
  {
    says: 'What a pass would do; it changes nothing. The first look at a project, here with a new ledger, goes by what the records say.',
    runs: `GUARD_LEDGER=${NEW_LEDGER} integration-guard plan`,
  },
  { says: 'One pass: it pauses and sends the mail.', runs: `GUARD_LEDGER=${NEW_LEDGER} integration-guard run` },
  {
    says: 'Undo it. The command is in the mail.',
    runs: `GUARD_LEDGER=${NEW_LEDGER} integration-guard resume af-ios --project demo`,
  },
  { says: 'Pause one yourself: the guard will not resume it.', runs: 'integration-guard pause slack-wins' },
  { says: 'And start it again.', runs: 'integration-guard resume slack-wins' },
  {
    says: 'Maintenance at a provider: leave it alone for a while.',
    runs: 'integration-guard ignore hook-crm --for 12h',
  },
  { says: 'It is over sooner than thought.', runs: 'integration-guard ignore hook-crm --off' },
  { says: 'What was done in the last hours, by whom and why.', runs: 'integration-guard history --since 3h' },
  { says: 'The same of one integration.', runs: 'integration-guard history af-android' },
  { says: 'When its events were not forwarded.', runs: 'integration-guard gaps --since 30d' },
  {
    says: 'These settings in a simulated month, beside the defaults, and the real figures of the last 90 days.',
    runs: 'integration-guard simulate --days 30',
  },
  { says: 'For scripts: one JSON document, and exit codes.', runs: 'integration-guard history slack-wins --json' },
  { says: 'An id that does not exist.', runs: 'integration-guard pause nobody' },
  { says: 'Completions; what the shell asks for when TAB is pressed.', runs: 'integration-guard complete -- hi' },
];

const demo = spawn(process.execPath, [PROGRAM, 'demo', '--keep', '--pace', '0'], { cwd: PROJECT });
try {
  const { environment, controlUrl } = await ready(demo);
  const parts: string[] = [];
  for (const { says, runs } of SESSION) {
    const { shown, output, code } = await step(runs, environment, controlUrl);
    const ended = code === 0 ? '' : `(exit code ${code})\n`;
    parts.push(`${says}\n\n\`\`\`console\n$ ${shown}\n${scrub(output).trimEnd()}\n${ended}\`\`\``);
    console.log(`$ ${shown}\n${output}`);
  }
  writeFileSync(
    fileURLToPath(new URL('../../docs/commands.md', import.meta.url)),
    `# The commands of \`integration-guard\`, in a session

Recorded by \`npm run record\` against the sandbox, after the afternoon that \`npm start\` plays (that one is
[recorded too](demo.svg)). With \`--stack NAME\` each works on a deployed stack instead.

${parts.join('\n\n')}
`,
  );
} finally {
  demo.kill('SIGINT');
}

/** Waits until the demo's afternoon is over. Its sandbox keeps running. */
async function ready(
  child: ChildProcess,
): Promise<{ readonly environment: Readonly<Record<string, string>>; readonly controlUrl: string }> {
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  while (!output.includes('Ctrl-C ends it.')) {
    if (child.exitCode !== null) throw new Error(`the demo has ended: ${output}`);
    await sleep(200);
  }
  const exported = /export (QONVERSION_.*)/.exec(output)?.[1] ?? '';
  const environment = Object.fromEntries(exported.split(' ').map((pair) => pair.split('=') as [string, string]));
  const controlUrl = /(http:\/\/\S+\/_sandbox)\//.exec(output)?.[1] ?? '';
  return { environment, controlUrl };
}

async function step(
  runs: string,
  environment: Readonly<Record<string, string>>,
  controlUrl: string,
): Promise<{ readonly shown: string; readonly output: string; readonly code: number }> {
  const [variable, value] = /^(\w+)=(\S+) /.exec(runs)?.slice(1) ?? [];
  const own = variable === undefined || value === undefined ? {} : { [variable]: value };
  const [program, ...args] = runs.replace(/^\w+=\S+ /, '').split(' ');
  if (program === 'sandbox') {
    const [route = '', ...body] = args;
    await fetch(`${controlUrl}/${route}`, { method: 'POST', body: body.join(' ') });
    return { shown: `curl -s ${scrub(controlUrl)}/${route} -d '${body.join(' ')}'`, output: '', code: 0 };
  }
  const env = { PATH: process.env.PATH, NO_COLOR: '1', COLUMNS, ...environment, ...own };
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...args], { cwd: PROJECT, env }, (error, stdout, stderr) => {
      const code = typeof error?.code === 'number' ? error.code : 0;
      const words = `npx ${[program, ...args].join(' ')}`;
      const shown = variable === undefined ? words : `${variable}=new-ledger.json ${words}`;
      resolve({ shown, output: stdout + stderr, code });
    });
  });
}

/** Replaces ports and folders, which differ between machines. */
function scrub(text: string): string {
  return text.replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:8080').replace(/\/\S*\/integration-guard-\w+\//g, '/tmp/guard/');
}
