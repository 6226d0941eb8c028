import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import ms from 'ms';
import { type CommandWords, commandLine } from '../guard/model/command-line.ts';
import { actorOf } from '../guard/model/event.ts';
import { runOperatorCommand } from '../guard/pass/operator-command.ts';
import { recordsOf } from '../guard/pass/plan.ts';
import { planPass, runPass } from '../guard/pass/run-pass.ts';
import type { OperatorCommand } from '../guard/policy/operator.ts';
import { findWithoutEffectOn } from '../guard/policy/without-effect.ts';
import { HISTORY_DAYS, type Log } from '../guard/ports.ts';
import { plusMs } from '../guard/text/time.ts';
import { VERSION } from '../guard/version.ts';
import { toCloudEvent } from '../messages/cloud-event.ts';
import { INTEGRATION_ID } from '../qonversion/schema.ts';
import { completionScript, completionsOf, SHELLS } from './complete.ts';
import { asksForJson, failureOf, report, safeLine, toJsonText, usageFailure } from './failure.ts';
import {
  formatChanges,
  formatFindings,
  formatGaps,
  formatHistory,
  formatList,
  formatPlan,
  formatProjects,
  formatReport,
  formatSimulation,
  toSafeFinding,
} from './format.ts';
import { gapsOf, toCsv } from './gaps.ts';
import type { InitOptions } from './init.ts';
import { decisionToJson, planToJson, reportToJson } from './json.ts';
import { formatMigration, migrateSettingsFile } from './migrate-settings.ts';
import {
  type OpenedProject,
  openProject,
  openSettingsAndHistory,
  readCliEnvironment,
  runDoctor,
  STACK_NAME,
  STACK_NAME_RULE,
} from './open-project.ts';
import { listProjects } from './projects.ts';
import type { Prompt } from './prompt.ts';
import type { SimulationSize } from './simulate.ts';

/** The `integration-guard` command line: the second door to the same core. */

export interface Terminal {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly columns: number;
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Shows what is being waited for, until the function it returns is called. */
  readonly progress: (text: string) => () => void;
  /** Questions to the person at the terminal. Null, or left out: nobody is there to answer. */
  readonly prompt?: () => Prompt | null;
  /** Whether nobody reads the output any more. Left out: somebody does. */
  readonly gone?: () => boolean;
}

/** 0: as asked. 1: tried and failed. 2: not understood (arguments, settings, key). */
export type ExitCode = 0 | 1 | 2;

/** How to say what became of an order. */
interface OrderWords {
  readonly done: string;
  readonly failed: string;
  /** The command that undoes it. */
  readonly undo: CommandWords;
}

interface SharedOptions {
  readonly project?: string;
  readonly stack?: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

const EXAMPLES = `
Examples:
  npx integration-guard demo                        see it work, without any account
  npx integration-guard init my-guard               a CDK app that deploys the guard, or the guard in your own app
  npx integration-guard plan                        what a pass would do now; touches nothing
  npx integration-guard run                         one pass on this machine
  npx integration-guard list --stack IntegrationGuard --project production
  npx integration-guard resume gNl6hyM6 --stack IntegrationGuard
  npx integration-guard ignore gNl6hyM6 --for 12h   maintenance at the provider
  npx integration-guard history gNl6hyM6 --since 30d --stack IntegrationGuard
  npx integration-guard gaps --since 30d --csv      when events were not forwarded, to fill them in from an export
  npx integration-guard simulate --days 30          your settings in a simulated month, beside the defaults
  npx integration-guard projects --stack IntegrationGuard
                                                    which projects there are, a fleet's included
  npx integration-guard doctor --stack IntegrationGuard
                                                    is everything as it should be, and if not, what to do
  npx integration-guard settings migrate            change a settings file of version 0.1 into one of this version
  source <(npx integration-guard complete zsh)      completions; also for bash, fish and powershell

Without --stack it runs on this machine, with
  QONVERSION_SECRET_KEY   the project's Secret Key
  GUARD_SETTINGS          settings file (default: cdk.json)
  GUARD_LEDGER            ledger file (default: .guard/ledger.json)
With --stack NAME (or GUARD_STACK) it uses the deployed stack's settings, ledger, topic and secret, through your
ordinary AWS credentials (AWS_PROFILE, AWS_REGION).

Exit codes: 0 done · 1 tried and failed · 2 not understood: arguments, settings or key`;

/** Commander repeats every word that was too many. One of them may be a key, and the number is enough. */
const EXCESS_WORDS = /(?<=^error: too many arguments[^.]*\. Expected \d+ arguments? but got \d+): .*\.\n$/s;

/**
 * Runs one command.
 * @param args the words after `integration-guard`
 */
export async function main(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let code: ExitCode = 0;
  // What the words say, until they have been understood.
  let json = asksForJson(args);
  let help = '';
  let complaint = '';
  const program = createProgram(terminal, (result) => {
    code = result;
  })
    .configureOutput({
      writeOut: (text) => {
        if (json) help += text;
        else terminal.out(text);
      },
      writeErr: (text) => {
        if (!json) terminal.err(text);
      },
      outputError: (text, write) => {
        const sentence = text.replace(EXCESS_WORDS, '.\n');
        complaint += sentence;
        write(`${safeLine(sentence)}\n`);
      },
    })
    .hook('preAction', (_, command) => {
      json = command.opts().json === true;
    });
  // Subcommands have copied what the program had when they were made.
  for (const command of program.commands.flatMap((each) => [each, ...each.commands]))
    command.copyInheritedSettings(program);
  // What a shell asks for when TAB is pressed; it follows no rules of options.
  if (args[0] === 'complete' && args[1] === '--') {
    terminal.out(completionsOf(program, args.slice(2), terminal.variables));
    return 0;
  }
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      const failure = failureOf(error);
      report(failure, json, terminal);
      return failure.exitCode;
    }
    const isUsage = error.exitCode !== 0;
    const asked = error.code === 'commander.version' ? { version: VERSION } : { help };
    if (json) terminal.out(toJsonText(isUsage ? { error: usageFailure(complaint) } : asked));
    return isUsage ? 2 : 0;
  }
}

function createProgram(terminal: Terminal, exit: (code: ExitCode) => void): Command {
  const program = new Command('integration-guard')
    .description('Watches the integrations of a Qonversion project and pauses those that keep failing.')
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(integration-guard --help shows what there is)')
    .addHelpText('after', EXAMPLES);

  let endProgress: () => void = () => undefined;
  /** Whoever waits is told what for; a log tells that by itself. */
  const working = async <Result>(
    options: SharedOptions,
    text: string,
    work: () => Promise<Result>,
  ): Promise<Result> => {
    if (options.verbose !== true) endProgress = terminal.progress(text);
    try {
      return await work();
    } finally {
      endProgress();
    }
  };
  const open = (options: SharedOptions): Promise<OpenedProject> =>
    openProject(readCliEnvironment(terminal.variables), {
      ...options,
      log: logOf(terminal, options),
      showMail: (text) => {
        endProgress();
        if (options.json !== true) terminal.out(text);
      },
    });

  const command = (name: string, description: string, example: string): Command =>
    program
      .command(name)
      .addHelpText('after', `\nExample:\n  npx integration-guard ${example}`)
      .description(description)
      .option('--project <name>', 'which project, when there are several')
      .option('--stack <name>', 'the deployed stack to work with, instead of this machine', parseStack)
      .option('--json', 'print one JSON document')
      .option('--verbose', 'print the log to standard error');

  const looking = (name: string, description: string, show: typeof formatPlan) =>
    command(name, description, `${name} --stack IntegrationGuard`).action(async (options: SharedOptions) => {
      const { plan, withoutEffect } = await working(options, 'asking Qonversion and the ledger', async () => {
        const { ports, project } = await open(options);
        const plan = await planPass(ports, project);
        return { plan, withoutEffect: findWithoutEffectOn(project.policy, 'policy', recordsOf(plan)) };
      });
      print(
        terminal,
        options,
        () => planToJson(plan, withoutEffect),
        () => show(plan, terminal.columns, withoutEffect),
      );
    });
  looking('plan', 'what a pass would do now; touches nothing', formatPlan);
  looking('list', 'all integrations, with what the guard thinks of each', formatList);

  command('run', 'one pass: decide, pause, tell', 'run --force --stack IntegrationGuard')
    .option('--force', 'pause however many are over the limits, this once')
    .action(async (options: SharedOptions & { readonly force?: boolean }) => {
      const report = await working(options, 'running a pass', async () => {
        const { ports, project } = await open(options);
        return runPass(ports, project, { force: options.force === true });
      });
      print(
        terminal,
        options,
        () => reportToJson(report),
        () => formatReport(report, terminal.columns),
      );
      if (!report.ok || report.results.some(({ outcome }) => outcome === 'failed')) exit(1);
    });

  const operating = async (
    id: string,
    order: OperatorCommand,
    options: SharedOptions,
    words: OrderWords,
  ): Promise<void> => {
    const { result, project } = await working(options, `asking Qonversion about ${id}`, async () => {
      const opened = await open(options);
      return {
        result: await runOperatorCommand(opened.ports, opened.project, id, order),
        project: opened.project.name,
      };
    });
    const done = result.outcome === 'done';
    const stack = options.stack ?? readCliEnvironment(terminal.variables).stack ?? null;
    const undo = commandLine(words.undo, { project, stack });
    print(
      terminal,
      options,
      () => ({ ...decisionToJson(result.decision), outcome: result.outcome, problem: result.problem }),
      () =>
        done
          ? `${id} ${words.done}. Undo: ${undo}`
          : `${id} ${words.failed}: ${result.problem ?? result.decision.reason}.`,
    );
    if (!done) exit(1);
  };

  command(
    'pause',
    'pause an integration; the guard remembers that it was you',
    'pause gNl6hyM6 --stack IntegrationGuard',
  )
    .argument('<id>', ID_HELP, parseId)
    .action((id: string, options: SharedOptions) =>
      operating(id, 'pause', options, {
        done: 'is paused; the guard will not re-activate it',
        failed: 'was not paused',
        undo: { run: 'resume', id },
      }),
    );

  command(
    'resume',
    're-activate an integration; its failures count from now on',
    'resume gNl6hyM6 --stack IntegrationGuard',
  )
    .argument('<id>', ID_HELP, parseId)
    .action((id: string, options: SharedOptions) =>
      operating(id, 'resume', options, {
        done: 'is active again; failures count from now on',
        failed: 'was not re-activated',
        undo: { run: 'pause', id },
      }),
    );

  command(
    'ignore',
    'leave an integration alone for a while; the exemption ends by itself',
    'ignore gNl6hyM6 --for 2h --stack IntegrationGuard',
  )
    .argument('<id>', ID_HELP, parseId)
    .addOption(durationOption('--for <time>', 'how long', '24h'))
    .option('--off', 'end the exemption now')
    .action((id: string, options: SharedOptions & { readonly for: number; readonly off?: boolean }) =>
      options.off === true
        ? operating(id, 'unignore', options, {
            done: 'is guarded again',
            failed: 'is ignored still',
            undo: { run: 'ignore', id },
          })
        : operating(id, { ignoreForMinutes: options.for / 60_000 }, options, {
            done: `is left alone for ${ms(options.for, { long: true })}; nothing is told of it, and it is not paused`,
            failed: 'is guarded still',
            undo: { run: 'ignore --off', id },
          }),
    );

  command('history', 'what was done, by whom and why', 'history gNl6hyM6 --since 30d --stack IntegrationGuard')
    .argument('[id]', 'id of an integration; left out: the whole project', parseId)
    .addOption(durationOption('--since <time>', `how far to look back, ${HISTORY_DAYS}d at most`, '7d'))
    .action(async (id: string | undefined, options: SharedOptions & { readonly since: number }) => {
      const { all, project, now } = await working(options, 'reading the ledger', async () => {
        const opened = await open(options);
        const now = opened.ports.clock.now();
        const since = plusMs(now, -options.since);
        return {
          all: await opened.ports.ledger.history(opened.project.name, since),
          project: opened.project.name,
          now,
        };
      });
      const events = all.filter(({ record }) => id === undefined || record?.id === id);
      print(
        terminal,
        options,
        () => ({
          project,
          events: events.map((event) => ({ by: actorOf(event), ...toCloudEvent(event) })),
        }),
        () => formatHistory(events, now.toISOString(), terminal.columns),
      );
    });

  command('gaps', 'when events were not forwarded, to fill them in from an export', 'gaps gNl6hyM6 --since 30d --csv')
    .argument('[id]', 'id of an integration; left out: the whole project', parseId)
    .addOption(durationOption('--since <time>', `how far to look back, ${HISTORY_DAYS}d at most`, '30d'))
    .addOption(new Option('--csv', 'print lines of id,from,to,by').conflicts('json'))
    .action(
      async (id: string | undefined, options: SharedOptions & { readonly since: number; readonly csv?: boolean }) => {
        const { events, project, now } = await working(options, 'reading the ledger', async () => {
          const { ports, project } = await open(options);
          const now = ports.clock.now();
          // A gap may have begun long before.
          const events = await ports.ledger.history(project.name, plusMs(now, -HISTORY_DAYS * 24 * 60 * 60_000));
          return { events, project: project.name, now };
        });
        const since = plusMs(now, -options.since);
        const gaps = gapsOf(events).filter((gap) => (id ?? gap.id) === gap.id && (gap.to === null || gap.to >= since));
        const toJson = () => ({ project, gaps: gaps.map(({ record: _, ...gap }) => gap) });
        print(terminal, options, toJson, () =>
          options.csv === true ? toCsv(gaps) : formatGaps(gaps, now.toISOString(), terminal.columns),
        );
      },
    );

  command('simulate', 'run these settings through a simulated month, beside the defaults', 'simulate --days 30')
    .addOption(new Option('--days <number>', 'days to simulate (default: 30)').argParser(parseDays))
    .addOption(
      new Option(
        '--integrations <number>',
        "how many (default: the project's own number with its key, else 12)",
      ).argParser(parseIntegrations),
    )
    .addOption(new Option('--seeds <numbers>', 'one world for each (default: 1,2,3)').argParser(parseSeeds))
    .action(async (options: SharedOptions & Partial<SimulationSize>) => {
      const simulation = await working(options, 'simulating', async () => {
        const opened = await openSettingsAndHistory(readCliEnvironment(terminal.variables), options);
        // Loaded only where it is asked for.
        return (await import('./simulate.ts')).simulate(opened, options);
      });
      print(
        terminal,
        options,
        () => simulation,
        () => formatSimulation(simulation, terminal.columns),
      );
    });

  command(
    'doctor',
    'check everything the guard needs, and say what to do about it',
    'doctor --stack IntegrationGuard',
  ).action(async (options: SharedOptions) => {
    const found = await working(options, 'checking everything', () =>
      runDoctor(readCliEnvironment(terminal.variables), { ...options, log: logOf(terminal, options) }),
    );
    const findings = found.map(toSafeFinding);
    print(
      terminal,
      options,
      () => ({ findings }),
      () => formatFindings(findings, terminal.columns),
    );
    if (findings.some(({ level }) => level === 'problem')) exit(1);
  });

  program
    .command('projects')
    .addHelpText('after', '\nExample:\n  npx integration-guard projects --stack IntegrationGuard')
    .description('which projects there are, with the policy of each')
    .option('--stack <name>', 'the deployed stack to look at, instead of the settings of this machine', parseStack)
    .option('--json', 'print one JSON document')
    .action(async (options: SharedOptions) => {
      const list = await working(options, 'looking for projects', () =>
        listProjects(readCliEnvironment(terminal.variables), options),
      );
      print(
        terminal,
        options,
        () => list,
        () => formatProjects(list, terminal.columns),
      );
    });

  program
    .command('changes')
    .addHelpText('after', '\nExample:\n  npx integration-guard changes --stack IntegrationGuard')
    .description('what deploying the settings of this machine would lose, leave behind or take over')
    .requiredOption('--stack <name>', 'the stack they would be deployed to', parseStack)
    .option('--json', 'print one JSON document')
    .action(async (options: SharedOptions & { readonly stack: string }) => {
      const found = await working(options, 'looking at what is deployed', async () => {
        const { settingsFile } = readCliEnvironment(terminal.variables);
        return (await import('./changes.ts')).readChanges(options.stack, settingsFile);
      });
      print(
        terminal,
        options,
        () => found,
        () => formatChanges(found, terminal.columns),
      );
      if (found.changes.some(({ level }) => level === 'error')) exit(1);
    });

  // What a synthesis asks (readDeployedGuard); for people there is "changes".
  program
    .command('deployed', { hidden: true })
    .argument('[secrets...]')
    .requiredOption('--stack <name>', '', parseStack)
    .requiredOption('--account <id>')
    .option('--json')
    .action(async (secrets: readonly string[], options: { readonly stack: string; readonly account: string }) => {
      const { readDeployed } = await import('../deployed/read-deployed.ts');
      terminal.out(toJsonText(await readDeployed(options.stack, secrets, options.account)));
    });

  program
    .command('init')
    .addHelpText('after', '\nExample:\n  npx integration-guard init my-guard')
    .argument('[folder]', 'of the CDK app (default: the current folder)', '.')
    .description('write a CDK app that deploys the guard, or add the guard to your own')
    .option('--project <name>', 'name of the Qonversion project')
    .option('--secret-name <name>', 'name of the secret for its Secret Key')
    .option('--email <address>', 'who gets alerts; "" for no one yet')
    .option('--mode <mode>', 'observe (report) or enforce (pause too)')
    .option('--stack <name>', 'name of the stack')
    .option('--yes', 'take the defaults of what is not given, and ask nothing')
    .option('--json', 'print one JSON document')
    .action(async (folder: string, options: InitOptions & SharedOptions) => {
      const { formatInit, init } = await import('./init.ts');
      const prompt = options.yes === true ? null : (terminal.prompt?.() ?? null);
      const { json: _, ...answers } = options;
      const outcome = await init(folder, answers, prompt).finally(() => prompt?.close());
      print(
        terminal,
        options,
        () => outcome.result,
        () => formatInit(outcome, terminal.columns),
      );
    });

  program
    .command('settings')
    .description('change the settings file')
    .command('migrate')
    .addHelpText('after', '\nExample:\n  npx integration-guard settings migrate cdk.json --dry-run')
    .argument('[file]', 'the settings file (default: GUARD_SETTINGS, or else cdk.json)')
    .description('change a settings file of version 0.1 into one of this version')
    .option('--dry-run', 'say what would change, and write nothing')
    .option('--json', 'print one JSON document')
    .action((file: string | undefined, options: { readonly json?: boolean; readonly dryRun?: boolean }) => {
      const path = file ?? readCliEnvironment(terminal.variables).settingsFile;
      const migrated = migrateSettingsFile(path, { dryRun: options.dryRun === true });
      print(
        terminal,
        options,
        () => migrated,
        () => formatMigration(migrated),
      );
    });

  program
    .command('demo')
    .description('an afternoon in the life of the guard, against a sandbox on this machine')
    .option('--json', 'print one JSON document')
    .option('--keep', 'leave the sandbox up afterwards and say what to try')
    .option('--pace <ms>', 'milliseconds per pass', parsePace, 250)
    .action(async (options: { readonly json?: boolean; readonly keep?: boolean; readonly pace: number }) => {
      const { runDemo } = await import('../sandbox/demo.ts');
      await runDemo({
        ...options,
        json: options.json === true,
        keep: options.keep === true,
        out: terminal.out,
        columns: terminal.columns,
        gone: terminal.gone ?? (() => false),
      });
    });

  program
    .command('complete')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .description('print completions for zsh, bash, fish or powershell')
    .action((shell: (typeof SHELLS)[number]) => terminal.out(completionScript(shell)));
  return program;
}

function print(terminal: Terminal, options: SharedOptions, json: () => unknown, text: () => string): void {
  terminal.out(options.json === true ? toJsonText(json()) : `${text()}\n`);
}

const ID_HELP = 'id of the integration; one that begins with "-" goes last, after --';

function parseStack(value: string): string {
  if (!STACK_NAME.test(value)) throw new InvalidArgumentError(STACK_NAME_RULE);
  return value;
}

function parseId(value: string): string {
  if (!INTEGRATION_ID.test(value))
    throw new InvalidArgumentError('An id is 1 to 256 letters, digits, ".", "_" or "-".');
  return value;
}

function durationOption(flags: string, description: string, usual: string): Option {
  return new Option(flags, description).argParser(parseDuration).default(parseDuration(usual), usual);
}

/** "24h", "7d", "90 minutes" as milliseconds. */
function parseDuration(value: string): number {
  const duration = /\d/.test(value) ? (ms(value as ms.StringValue) as number | undefined) : undefined;
  if (duration === undefined || duration < 60_000 || duration > HISTORY_DAYS * 24 * 3_600_000)
    throw new InvalidArgumentError(`Give a time such as 30m, 24h or 7d, from 1m to ${HISTORY_DAYS}d.`);
  return duration;
}

function parsePace(value: string): number {
  const pace = Number(value);
  if (!Number.isInteger(pace) || pace < 0 || pace > 10_000)
    throw new InvalidArgumentError('Give 0 to 10000 milliseconds.');
  return pace;
}

function parseDays(value: string): number {
  return parseWhole(value, 365);
}

function parseIntegrations(value: string): number {
  return parseWhole(value, 10_000);
}

function parseWhole(value: string, largest: number): number {
  const number = /^\d+$/.test(value) ? Number(value) : 0;
  if (number < 1 || number > largest)
    throw new InvalidArgumentError(`Give a whole number from 1 to ${largest.toLocaleString('en-US')}.`);
  return number;
}

/** "1,2,3": each names a world of its own. */
function parseSeeds(value: string): readonly number[] {
  const seeds = value.split(',').map((seed) => (/^\d{1,9}$/.test(seed) ? Number(seed) : 0));
  if (seeds.length > 100 || seeds.includes(0) || new Set(seeds).size < seeds.length)
    throw new InvalidArgumentError('Give whole numbers above 0 such as 1,2,3, each of them once and at most 100.');
  return seeds;
}

function logOf(terminal: Terminal, options: SharedOptions): Log {
  return options.verbose === true ? terminalLog(terminal) : SILENT_LOG;
}

const SILENT_LOG: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

function terminalLog(terminal: Terminal): Log {
  const line = (level: string) => (message: string, fields?: Readonly<Record<string, unknown>>) =>
    terminal.err(`${safeLine(`${level} ${message}${fields === undefined ? '' : ` ${JSON.stringify(fields)}`}`)}\n`);
  return { info: line('info '), warn: line('warn '), error: line('error') };
}
