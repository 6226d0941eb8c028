import { existsSync, lstatSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fillSecretCommand } from '../aws/secret.ts';
import { describeError, SettingsError, UsageError } from '../guard/errors.ts';
import { shellWord } from '../guard/model/command-line.ts';
import { safePath } from '../guard/safe-sentence.ts';
import { parseSettings } from '../guard/settings/schema.ts';
import { VERSION } from '../guard/version.ts';
import { insertEntry } from '../local/edit-json.ts';
import { parseJson } from '../local/json-text.ts';
import { CONTEXT_KEY, findSettings } from '../local/settings-file.ts';
import { type FileChange, writeTogether } from '../local/write-together.ts';
import { type Addition, additionTo, entryCandidates } from './cdk-app.ts';
import { type Answers, collectAnswers, settingsOf } from './init-answers.ts';
import { FUNCTION_NAME, NEW_APP_FILES, newAppFiles, stackFile } from './init-templates.ts';
import type { Prompt } from './prompt.ts';
import { wrap } from './wrap.ts';

/** The result of `init`, as `--json` prints it: a new CDK app with the guard, or the guard in an existing app. */
export interface Initialised {
  readonly folder: string;
  /** New files, relative to the folder. */
  readonly written: readonly string[];
  readonly edited: readonly string[];
  /** The lines that a person must add to the entry file, because `init` found no place for them. */
  readonly addByHand: {
    /** Null: `cdk.json` does not name the file. */
    readonly file: string | null;
    readonly lines: readonly string[];
    readonly where: string;
  } | null;
  /** The command that packs the guard, to run first. Null: `init` runs from the installed package. */
  readonly pack: { readonly checkout: string; readonly command: string } | null;
  /** The commands to run next, in the folder. */
  readonly next: readonly string[];
}

export interface InitOptions extends Partial<Answers> {
  /** Uses defaults for missing answers and asks nothing. */
  readonly yes?: boolean;
}

/** The result of `init`, with the answers. */
export interface InitOutcome {
  readonly result: Initialised;
  readonly answers: Answers;
}

/**
 * @param prompt null when there is no one to ask
 * @param checkout the checkout that `init` runs from; null: it runs from the installed package
 * @throws SettingsError, UsageError or AbortedError when nothing was written
 * @throws the system's error when a file cannot be written; then no file was written
 */
export async function init(
  folder: string,
  { yes = false, ...given }: InitOptions,
  prompt: Prompt | null,
  checkout = findCheckout(),
): Promise<InitOutcome> {
  const root = resolve(folder);
  if (existsSync(root) && !statSync(root).isDirectory()) throw new UsageError(`${safePath(root)} is not a folder`);
  const plan = existsSync(join(root, CDK_JSON)) ? planAddition(root) : planNewApp(root);
  const answers = await collectAnswers(given, { defaults: yes, prompt });
  const { changes, addByHand, install, deploy } = plan(answers);
  writeTogether(changes.map(({ path, ...change }) => ({ path: join(root, path), ...change })));
  const names = (isNew: boolean) => changes.filter(({ before }) => (before === null) === isNew).map(({ path }) => path);
  const next = [
    checkout === null ? install : addPacked(root),
    deploy,
    fillSecretCommand({ id: answers.secretName, field: null }),
  ];
  const pack = checkout === null ? null : { checkout, command: packCommand(root) };
  return { answers, result: { folder: root, written: names(true), edited: names(false), addByHand, pack, next } };
}

/** The name that `npm pack` gives to the package. */
const PACKED = `integration-guard-${VERSION}.tgz`;

/** The package is not on npm, so a checkout packs itself. */
function packCommand(folder: string): string {
  return `npm run build && npm pack --pack-destination ${shellWord(folder)}`;
}

function addPacked(folder: string): string {
  const add = addCommandOf(folder);
  // Other package managers look a bare name up in the registry.
  return add === NPM_ADD ? `${add} ${PACKED}` : `${add} ./${PACKED}`;
}

/** The folder of the checkout that this code runs from, built or not. The package has no sources. Null: it is the package. */
function findCheckout(): string | null {
  const root = fileURLToPath(new URL('../../', import.meta.url)).replace(/[/\\]$/, '');
  return existsSync(join(root, 'functions', 'cli', 'main.ts')) ? root : null;
}

/** The files to write, with paths relative to the folder. All conflicts with existing files have been checked. */
interface Plan {
  readonly changes: readonly FileChange[];
  readonly addByHand: Initialised['addByHand'];
  readonly install: string;
  readonly deploy: string;
}

const CDK_JSON = 'cdk.json';

const PACKAGE_JSON = 'package.json';

function planNewApp(root: string): (answers: Answers) => Plan {
  refuseExisting(root, NEW_APP_FILES, 'give another folder: integration-guard init FOLDER');
  return (answers) => {
    const texts = newAppFiles({ settings: settingsOf(answers), stackName: answers.stack, version: VERSION });
    return {
      changes: NEW_APP_FILES.map((path) => ({ path, before: null, after: texts[path] })),
      addByHand: null,
      install: 'npm install',
      deploy: 'npx cdk deploy',
    };
  };
}

function refuseExisting(root: string, paths: readonly string[], advice: string): void {
  const existing = paths.filter((path) => lstatSync(join(root, path), { throwIfNoEntry: false }) !== undefined);
  if (existing.length > 0)
    throw new UsageError(`${safePath(root)} already has ${listOf(existing)}; nothing was written; ${advice}`);
}

function planAddition(root: string): (answers: Answers) => Plan {
  refuseGenerated(root);
  const cdkJson = readUtf8(join(root, CDK_JSON));
  const cdk = readObject(cdkJson, join(root, CDK_JSON));
  const { context } = cdk;
  if (context !== undefined && !isObject(context))
    throw new SettingsError(['context: expected an object'], join(root, CDK_JSON));
  if (context !== undefined && Object.hasOwn(context, CONTEXT_KEY))
    throw new UsageError(
      `${safePath(join(root, CDK_JSON))} already has settings of the guard; nothing was written; change them there`,
    );
  const app = describeApp(root, typeof cdk.app === 'string' ? cdk.app : '');
  const { entry } = app;
  if (entry?.text.includes(FUNCTION_NAME))
    throw new UsageError(`${safePath(entry.path)} already uses ${FUNCTION_NAME}; nothing was written`);
  const addition = additionTo(app);
  const library = join(root, dirname(addition.path));
  if (existsSync(library) && !statSync(library).isDirectory())
    throw new UsageError(`${safePath(library)} is not a folder; nothing was written; move it away first`);
  refuseExisting(root, [addition.path], 'move it away first');
  return (answers) => ({
    changes: [
      { path: addition.path, before: null, after: stackFile(addition.style, answers.stack) },
      { path: CDK_JSON, before: cdkJson, after: withSettings(cdkJson, answers, join(root, CDK_JSON)) },
      ...(entry && addition.edited !== null ? [{ path: entry.path, before: entry.text, after: addition.edited }] : []),
    ],
    addByHand: byHand(entry?.path ?? null, addition),
    install: `${addCommandOf(root)} integration-guard`,
    deploy: `npx cdk deploy ${answers.stack}`,
  });
}

/** projen would overwrite every change. */
function refuseGenerated(root: string): void {
  const source = ['ts', 'js', 'mjs', 'json', 'py'].find((each) => existsSync(join(root, `.projenrc.${each}`)));
  if (source !== undefined)
    throw new UsageError(
      `${safePath(root)} is managed by projen, which would undo the changes; nothing was written; add the settings and the stack to .projenrc.${source} (README, "Deploy")`,
    );
}

function describeApp(root: string, command: string) {
  const path = join(root, PACKAGE_JSON);
  if (!existsSync(path))
    throw new UsageError(
      `${safePath(root)} has a cdk.json but no package.json; init supports only apps in TypeScript or JavaScript; nothing was written; give another folder: integration-guard init FOLDER`,
    );
  const { type } = readObject(readUtf8(path), path);
  const hasTsConfig = existsSync(join(root, 'tsconfig.json'));
  return {
    command,
    entry: findEntry(root, command, hasTsConfig),
    packageType: typeof type === 'string' ? type : null,
    hasTsConfig,
  };
}

function findEntry(root: string, command: string, hasTsConfig: boolean) {
  const paths = entryCandidates(command).map((word) => relative(root, resolve(root, word)).replaceAll('\\', '/'));
  const inside = [...new Set(paths)].filter((path) => !path.startsWith('../') && existsSync(join(root, path)));
  const [path, another] = inside;
  // In a TypeScript app, the compiler overwrites the JavaScript files.
  if (path === undefined || another !== undefined || (hasTsConfig && /js$/.test(path))) return null;
  return { path, text: readUtf8(join(root, path)) };
}

function byHand(file: string | null, { edited, lines, where }: Addition): Initialised['addByHand'] {
  return edited === null ? { file, lines, where } : null;
}

const NPM_ADD = 'npm install';

const LOCK_FILES = {
  'yarn.lock': 'yarn add',
  'pnpm-lock.yaml': 'pnpm add',
  'bun.lock': 'bun add',
  'bun.lockb': 'bun add',
} as const;

function addCommandOf(root: string): string {
  const found = Object.entries(LOCK_FILES).find(([name]) => existsSync(join(root, name)));
  return found?.[1] ?? NPM_ADD;
}

function withSettings(text: string, answers: Answers, path: string): string {
  const [mark, json] = text.startsWith('\ufeff') ? ['\ufeff', text.slice(1)] : ['', text];
  const settings = settingsOf(answers);
  const hasContext = readObject(json, path).context !== undefined;
  const edited = hasContext
    ? insertEntry(json, ['context'], { name: CONTEXT_KEY, value: settings, at: 'first' })
    : insertEntry(json, [], { name: 'context', value: { [CONTEXT_KEY]: settings }, at: 'last' });
  parseSettings(findSettings(edited, path).document, path);
  return `${mark}${edited}`;
}

/** @throws SettingsError when the file cannot be read, or is not UTF-8 */
function readUtf8(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new SettingsError([`cannot be read (${describeError(error)})`], path);
  }
  const text = bytes.toString('utf8');
  if (!bytes.equals(Buffer.from(text, 'utf8')))
    throw new SettingsError(['expected UTF-8, got text in another encoding; nothing was written'], path);
  return text;
}

function readObject(text: string, path: string): Readonly<Record<string, unknown>> {
  const { document } = parseJson(text, path);
  if (!isObject(document)) throw new SettingsError(['expected an object'], path);
  return document;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

export function formatInit({ result, answers }: InitOutcome, width: number): string {
  const { folder, written, edited, addByHand, pack, next } = result;
  const enter = (from: string, to: string) => (from === to ? [] : [`cd ${shellWord(to)}`]);
  const commands =
    pack === null
      ? [...enter(process.cwd(), folder), ...next]
      : [...enter(process.cwd(), pack.checkout), pack.command, ...enter(pack.checkout, folder), ...next];
  return [
    `Wrote ${listOf(written)}.`,
    ...(edited.length === 0 ? [] : [`Edited ${listOf(edited)}.`]),
    ...(addByHand === null ? [] : ['', ...describeByHand(addByHand, width)]),
    '',
    'Next:',
    // People copy the commands, so they must not wrap.
    ...commands.map((command) => `  ${command}`),
    '',
    ...remarks(answers).map((remark) => wrap(remark, width)),
  ].join('\n');
}

function describeByHand({ file, lines, where }: NonNullable<Initialised['addByHand']>, width: number): string[] {
  const place = file === null ? 'the file that creates the App (its path to lib may differ)' : file;
  return [wrap(`Add these two lines to ${place}, ${where}:`, width), ...lines.map((line) => `  ${line}`)];
}

function remarks({ email, mode, stack }: Answers): readonly string[] {
  return [
    'The last command waits for the Secret Key: paste it, then press Enter.',
    'If this account and region have never used CDK, run this before you deploy: npx cdk bootstrap',
    email === ''
      ? 'No one gets alerts yet: add { "email": "…" } to alerts.subscriptions in cdk.json.'
      : 'AWS sends two mails to confirm the subscriptions: one for alerts, one for alarms about the guard itself. Confirm both: AWS sends nothing to an unconfirmed address.',
    mode === 'enforce'
      ? 'The guard pauses integrations that keep failing.'
      : `The guard only reports. When you agree with what it would do (npx integration-guard plan --stack ${stack}), set "mode": "enforce" in cdk.json and deploy again.`,
  ];
}
