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
import { planToJson, reportToJson, resultToJson } from './json.ts';
import { requireKnown } from './known-integration.ts';
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
import { wrap } from './wrap.ts';

/** The `integration-guard` command line. */

export interface Terminal {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly columns: number;
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Shows a progress text until the returned function is called. */
  readonly progress: (text: string) => () => void;
  /** Opens questions to the person at the terminal. Null or left out: there is no one to answer. */
  readonly prompt?: () => Prompt | null;
  /** Whether the reader of the output is gone. Default: no. */
  readonly gone?: () => boolean;
}

/** 0: done. 1: tried and failed, or found a problem. 2: usage error (arguments, settings, key). */
export type ExitCode = 0 | 1 | 2;

/** The wording for the outcome of a command. */
interface OrderWords {
  readonly done: string;
  /** The integration was already in that state. */
  readonly already: string | null;
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

const EXAMPLES: readonly (readonly [command: string, does: string])[] = [
  ['demo', 'see it work, without any account'],
  ['init my-guard', 'a CDK app that deploys the guard, or the guard in your own app'],
  ['plan', 'what a pass would do now; changes nothing'],
  ['run', 'one pass on this machine'],
  ['list --stack IntegrationGuard --project production', 'every integration of a deployed project'],
  ['resume gNl6hyM6 --stack IntegrationGuard', 'after you have fixed the cause'],
  ['ignore gNl6hyM6 --for 12h', 'maintenance at the provider'],
  ['history gNl6hyM6 --since 30d --stack IntegrationGuard', 'what was done, by whom and why'],
  ['gaps --since 30d --csv', 'when events were not forwarded, to fill them in from an export'],
  ['simulate --days 30', 'your settings in a simulated month, beside the defaults'],
  ['projects --stack IntegrationGuard', 'every project, those of a fleet included'],
  ['doctor --stack IntegrationGuard', 'what is wrong, and how to fix it'],
  ['settings migrate', 'change a settings file of version 0.1 into one of this version'],
];

/** The examples of the help. If the terminal is narrow, the description goes below the command. */
function describeExamples(width: number): string {
  const lines = [
    ...EXAMPLES.map(([command, does]) => [`npx integration-guard ${command}`, does] as const),
    ['source <(npx integration-guard complete zsh)', 'completions; also for bash, fish and powershell'] as const,
  ];
  const column = 50;
  const examples = lines.map(([command, does]) => {
    const beside = `  ${command.padEnd(column)}${does}`;
    return command.length < column && beside.length <= width
      ? beside
      : `  ${command}\n${wrap(does, Math.max(20, width - 6)).replace(/^/gm, '      ')}`;
  });
  return `
Examples:
${examples.join('\n')}

${wrap('Without --stack it runs on this machine, with these environment variables:', width)}
  QONVERSION_SECRET_KEY   the project's Secret Key
  GUARD_SETTINGS          settings file (default: cdk.json)
  GUARD_LEDGER            ledger file
                          (default: .guard/ledger.json)
${wrap("With --stack NAME (or GUARD_STACK) it uses the deployed stack's settings, ledger, topic and secret, through your ordinary AWS credentials (AWS_PROFILE, AWS_REGION).", width)}

Exit codes:
  0    done
  1    tried and failed, or found a problem
  2    usage error: arguments, settings or key
  141  the reader of the output went away`;
}

/** commander repeats all excess words. One of them may be a key, so only their number is shown. */
const EXCESS_WORDS = /(?<=^error: too many arguments[^.]*\. Expected \d+ arguments? but got \d+): .*\.\n$/s;

/**
 * Runs one command.
 * @param args the words after `integration-guard`
 */
export async function main(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let code: ExitCode = 0;
  // A guess from the words, until commander has parsed them.
  let json = asksForJson(args);
  let help = '';
  let complaint = '';
  const program = createProgram(terminal, (result) => {
    code = result;
  })
    .configureOutput({
      getOutHelpWidth: () => terminal.columns,
      getErrHelpWidth: () => terminal.columns,
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
  // Subcommands copied the program's settings when they were created.
  for (const command of program.commands.flatMap((each) => [each, ...each.commands]))
    command.copyInheritedSettings(program);
  // A shell's request for completions, which does not follow the syntax of options.
  if (args[0] === 'complete' && args[1] === '--') {
    terminal.out(completionsOf(program, args.slice(2), terminal.variables));
    return 0;
  }
  try {
    refuseIncomplete(program, args);
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

/** Two usage errors for which commander shows only the help, without a sentence. */
function refuseIncomplete(program: Command, [command, ...words]: readonly string[]): void {
  const names = ['help', ...program.commands.map((each) => each.name())];
  const wanted = words.find((word) => !word.startsWith('-'));
  if (command === 'help' && wanted !== undefined && !names.includes(wanted))
    program.error(`error: unknown command '${wanted}'`);
  const subcommands = program.commands.find((each) => each.name() === command)?.commands ?? [];
  if (words.length === 0 && subcommands.length > 0)
    program.error(`error: name a subcommand: ${subcommands.map((each) => `${command} ${each.name()}`).join(', ')}`);
}

function createProgram(terminal: Terminal, exit: (code: ExitCode) => void): Command {
  const program = new Command('integration-guard')
    .description('Watch the integrations of a Qonversion project and pause those that keep failing.')
    .version(VERSION)
    .exitOverride()
    .configureHelp({ minWidthToWrap: 16 })
    .showHelpAfterError('(integration-guard --help shows every command)')
    .addHelpText('after', describeExamples(terminal.columns));

  let endProgress: () => void = () => undefined;
  /** Shows a progress line, unless the log already shows the progress. */
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
      .option('--project <name>', 'the project, if there are several')
      .option('--stack <name>', 'work with this deployed stack instead of this machine', parseStack)
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
  looking('plan', 'Show what a pass would do now. Changes nothing.', formatPlan);
  looking('list', 'Show every integration, and what the guard does next about it.', formatList);

  command('run', 'Run one pass: decide, pause and alert.', 'run --force --stack IntegrationGuard')
    .option('--force', 'pause all that are over the limits, this once')
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
    const say = (sentence: string) => wrap(`${id} ${sentence}`, terminal.columns);
    print(
      terminal,
      options,
      () => resultToJson(result),
      () => {
        if (!done) return say(`${words.failed}: ${result.problem ?? result.decision.reason}.`);
        return result.already && words.already !== null ? say(words.already) : `${say(words.done)}\nUndo: ${undo}`;
      },
    );
    if (!done) exit(1);
  };

  command('pause', 'Pause an integration. The guard will not resume it.', 'pause gNl6hyM6 --stack IntegrationGuard')
    .argument('<id>', ID_HELP, parseId)
    .action((id: string, options: SharedOptions) =>
      operating(id, 'pause', options, {
        done: 'is paused. The guard will not resume it.',
        already: 'was already paused. The guard will not resume it.',
        failed: 'was not paused',
        undo: { run: 'resume', id },
      }),
    );

  command(
    'resume',
    'Resume an integration. Its failures count from now on.',
    'resume gNl6hyM6 --stack IntegrationGuard',
  )
    .argument('<id>', ID_HELP, parseId)
    .action((id: string, options: SharedOptions) =>
      operating(id, 'resume', options, {
        done: 'is active again. Its failures count from now on.',
        already: 'was already active. Its failures count from now on.',
        failed: 'was not resumed',
        undo: { run: 'pause', id },
      }),
    );

  command(
    'ignore',
    'Ignore an integration for a while. It ends automatically.',
    'ignore gNl6hyM6 --for 2h --stack IntegrationGuard',
  )
    .argument('<id>', ID_HELP, parseId)
    .addOption(durationOption('--for <time>', 'how long', '24h'))
    .addOption(new Option('--off', 'guard it again now').conflicts('for'))
    .action((id: string, options: SharedOptions & { readonly for: number; readonly off?: boolean }) =>
      options.off === true
        ? operating(id, 'unignore', options, {
            done: 'is guarded again.',
            already: 'was already guarded.',
            failed: 'is still ignored',
            undo: { run: 'ignore', id },
          })
        : operating(id, { ignoreForMinutes: options.for / 60_000 }, options, {
            done: `is ignored for ${ms(options.for, { long: true })}. The guard neither pauses it nor alerts you about it.`,
            already: null,
            failed: 'is still guarded',
            undo: { run: 'ignore --off', id },
          }),
    );

  command('history', 'Show what was done, by whom and why.', 'history gNl6hyM6 --since 30d --stack IntegrationGuard')
    .argument('[id]', 'id of an integration (default: the whole project)', parseId)
    .addOption(durationOption('--since <time>', `how far to look back, ${HISTORY_DAYS}d at most`, '7d'))
    .action(async (id: string | undefined, options: SharedOptions & { readonly since: number }) => {
      const { all, project, now } = await working(options, 'reading the ledger', async () => {
        const opened = await open(options);
        const now = opened.ports.clock.now();
        const all = await opened.ports.ledger.history(opened.project.name, plusMs(now, -options.since));
        if (id !== undefined) await requireKnown(opened, id, all);
        return { all, project: opened.project.name, now };
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

  command(
    'gaps',
    'Show when events were not forwarded, to fill them in from an export.',
    'gaps gNl6hyM6 --since 30d --csv',
  )
    .argument('[id]', 'id of an integration (default: the whole project)', parseId)
    .addOption(durationOption('--since <time>', `how far to look back, ${HISTORY_DAYS}d at most`, '30d'))
    .addOption(new Option('--csv', 'print lines of id,from,to,by').conflicts('json'))
    .action(
      async (id: string | undefined, options: SharedOptions & { readonly since: number; readonly csv?: boolean }) => {
        const { events, project, now } = await working(options, 'reading the ledger', async () => {
          const opened = await open(options);
          const { ports, project } = opened;
          const now = ports.clock.now();
          // A gap may have begun before the requested time.
          const events = await ports.ledger.history(project.name, plusMs(now, -HISTORY_DAYS * 24 * 60 * 60_000));
          if (id !== undefined) await requireKnown(opened, id, events);
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

  command('simulate', 'Compare your settings with the defaults in a simulated month.', 'simulate --days 30')
    .addOption(new Option('--days <number>', 'days to simulate (default: 30)').argParser(parseDays))
    .addOption(
      new Option(
        '--integrations <number>',
        'how many (default: as many as the project has, or 12 without its key)',
      ).argParser(parseIntegrations),
    )
    .addOption(new Option('--seeds <numbers>', 'one world for each (default: 1,2,3)').argParser(parseSeeds))
    .action(async (options: SharedOptions & Partial<SimulationSize>) => {
      const simulation = await working(options, 'simulating', async () => {
        const opened = await openSettingsAndHistory(readCliEnvironment(terminal.variables), options);
        // Loaded on demand.
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
    'Check everything the guard needs, and say how to fix what is wrong.',
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
    .description('Show every project with its policy.')
    .option('--stack <name>', 'look at this deployed stack instead of the settings on this machine', parseStack)
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
    .description('Show what deploying these settings would lose, leave behind or take over.')
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

  // For readDeployedGuard during a synthesis. People use "changes".
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
    .description('Write a CDK app that deploys the guard, or add the guard to your own.')
    .option('--project <name>', 'name of the Qonversion project')
    .option('--secret-name <name>', 'name of the secret for its Secret Key')
    .option('--email <address>', 'who gets alerts; "" for no one yet')
    .option('--mode <mode>', 'observe (report) or enforce (pause too)')
    .option('--stack <name>', 'name of the stack')
    .option('--yes', 'ask nothing, and take the defaults')
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
    .description('Change the settings file.')
    .command('migrate')
    .addHelpText('after', '\nExample:\n  npx integration-guard settings migrate cdk.json --dry-run')
    .argument('[file]', 'the settings file (default: GUARD_SETTINGS, or else cdk.json)')
    .description('Change a settings file of version 0.1 into one of this version.')
    .option('--dry-run', 'show what would change, and write nothing')
    .option('--json', 'print one JSON document')
    .action((file: string | undefined, options: { readonly json?: boolean; readonly dryRun?: boolean }) => {
      const path = file ?? readCliEnvironment(terminal.variables).settingsFile;
      const migrated = migrateSettingsFile(path, {
        dryRun: options.dryRun === true,
        namedBy: file === undefined ? 'GUARD_SETTINGS' : 'integration-guard settings migrate FILE',
      });
      print(
        terminal,
        options,
        () => migrated,
        () => formatMigration(migrated),
      );
    });

  program
    .command('demo')
    .description('Play an afternoon in the life of the guard, against a sandbox on this machine.')
    .option('--json', 'print one JSON document')
    .option('--keep', 'keep the sandbox running afterwards, and say what to try')
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
    .description('Print completions for zsh, bash, fish or PowerShell.')
    .option('--json', 'print one JSON document')
    .action((shell: (typeof SHELLS)[number], options: { readonly json?: boolean }) => {
      const script = completionScript(shell);
      terminal.out(options.json === true ? toJsonText({ shell, script }) : script);
    });
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

/** "1,2,3": each seed gives a different world. */
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
