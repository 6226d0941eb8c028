import { SettingsError, UsageError } from '../guard/errors.ts';
import { showPath, showValue } from '../guard/settings/fault.ts';
import { findMisplacedSecrets, parseSettings } from '../guard/settings/schema.ts';
import type { Prompt } from './prompt.ts';

/** The answers that `init` needs. */
export interface Answers {
  readonly project: string;
  readonly secretName: string;
  /** Empty: no one gets alerts yet. */
  readonly email: string;
  readonly mode: string;
  readonly stack: string;
}

type AnswerName = keyof Answers;

interface Question {
  readonly name: AnswerName;
  readonly flag: string;
  readonly text: string;
  /** May depend on an earlier answer. */
  readonly usual: (answers: Partial<Answers>) => string;
  /** The path of the answer in the settings, for faults. */
  readonly path: (answer: string) => readonly PropertyKey[];
}

/** A new guard only observes until its owner agrees with its decisions. */
const USUAL: Answers = {
  project: 'production',
  secretName: 'qonversion/production',
  email: '',
  mode: 'observe',
  stack: 'IntegrationGuard',
};

const QUESTIONS: readonly Question[] = [
  {
    name: 'project',
    flag: '--project',
    text: 'Name of the Qonversion project',
    usual: () => USUAL.project,
    path: (answer) => ['projects', answer],
  },
  {
    name: 'secretName',
    flag: '--secret-name',
    text: 'Name of the secret for its Secret Key',
    usual: ({ project = USUAL.project }) => `qonversion/${project}`,
    path: () => ['projects', USUAL.project, 'secretName'],
  },
  {
    name: 'email',
    flag: '--email',
    text: 'Mail address for alerts',
    usual: () => USUAL.email,
    path: () => ['alerts', 'subscriptions', 0, 'email'],
  },
  {
    name: 'mode',
    flag: '--mode',
    text: 'Mode, observe (report) or enforce (pause too)',
    usual: () => USUAL.mode,
    path: () => ['projects', USUAL.project, 'policy', 'mode'],
  },
  {
    name: 'stack',
    flag: '--stack',
    text: 'Name of the stack',
    usual: () => USUAL.stack,
    path: () => [],
  },
];

/** The settings as `cdk.json` has them. */
export function settingsOf({ project, secretName, email, mode }: Answers) {
  return {
    projects: { [project]: { secretName, policy: { mode } } },
    alerts: { subscriptions: email === '' ? [] : [{ email }] },
  };
}

/**
 * Takes the answers from the flags, from the person at the terminal, or from the defaults.
 * @param prompt null when there is no one to ask
 * @throws SettingsError with one line per faulty flag
 * @throws UsageError that names the missing flags
 */
export async function collectAnswers(
  given: Partial<Answers>,
  { defaults, prompt }: { readonly defaults: boolean; readonly prompt: Prompt | null },
): Promise<Answers> {
  const flagged = QUESTIONS.flatMap((question) => {
    const answer = given[question.name];
    return answer === undefined ? [] : faultsOf(question, answer).map((fault) => `${question.flag}: ${fault}`);
  });
  if (flagged.length > 0) throw new SettingsError(flagged, 'init');
  const missing = QUESTIONS.filter(({ name }) => given[name] === undefined);
  if (missing.length > 0 && !defaults && prompt === null) throw new UsageError(describeMissing(missing));

  let answers = given;
  for (const question of missing) {
    const usual = question.usual(answers);
    const answer = defaults || prompt === null ? usual : await askUntilSound(prompt, question, usual);
    answers = { ...answers, [question.name]: answer };
  }
  const complete = answers as Answers;
  parseSettings(settingsOf(complete), 'init');
  return complete;
}

function describeMissing(missing: readonly Question[]): string {
  const flags = missing.map(({ flag }) => flag);
  const all = flags.length === 1 ? flags[0] : `${flags.slice(0, -1).join(', ')} and ${flags.at(-1)}`;
  const more = missing.length < QUESTIONS.length ? ' too' : '';
  return `there is no terminal for questions: give ${all}${more}, or --yes for their defaults`;
}

async function askUntilSound(prompt: Prompt, question: Question, usual: string): Promise<string> {
  for (;;) {
    const answer = (await prompt.ask(`${question.text} [${usual === '' ? 'none' : usual}]:`)) || usual;
    const faults = faultsOf(question, answer);
    if (faults.length === 0) return answer;
    for (const fault of faults) prompt.say(fault);
  }
}

/** A new stack has a name that CDK accepts, not an ARN. */
const STACK_NAME = /^[A-Za-z][A-Za-z0-9-]{0,127}$/;

/** The faults of one answer, checked together with valid other answers. They omit the path, because the question replaces it. */
function faultsOf({ name, path }: Question, answer: string): readonly string[] {
  const where = `${showPath(path(answer))}: `;
  const bare = (fault: string) => (fault.startsWith(where) ? fault.slice(where.length) : fault);
  if (name === 'stack') {
    const secrets = findMisplacedSecrets(answer);
    if (secrets.length > 0 || STACK_NAME.test(answer)) return secrets.map(bare);
    return [
      `expected the name of a stack (letters, digits and "-", beginning with a letter), got ${showValue(answer)}`,
    ];
  }
  try {
    parseSettings(settingsOf({ ...USUAL, [name]: answer }));
    return [];
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return error.faults.map(bare);
  }
}
