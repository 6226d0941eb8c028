import { Duration, RemovalPolicy, Token } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { isDeployedGuard } from '../functions/deployed/deployed-guard.ts';
import { SettingsError } from '../functions/guard/errors.ts';
import { showPath, showValue } from '../functions/guard/settings/fault.ts';
import {
  IN_STACK,
  ONLY_WITH_CUSTOMER_KEY,
  parseSettings,
  type Settings,
  unlessTooDeep,
} from '../functions/guard/settings/schema.ts';
import { findSharedSecretFaults } from '../functions/guard/settings/shared-secrets.ts';
import type { IntegrationGuardProps } from './props.ts';

/** The construct's properties, split into plain settings (checked like those of a file) and CDK objects and tokens. */
export interface GivenProps {
  /** IN_STACK stands for values that are known only at deployment. */
  readonly settings: Settings;
  /** Secrets that are not plain ARNs, by project. */
  readonly secrets: ReadonlyMap<string, GivenSecret>;
  /** The ARN of the key of the fleet's secrets; it may be a token. */
  readonly fleetKeyArn: string | undefined;
  /** Queues and functions that are not plain ARNs, by the index of their subscription. */
  readonly endpoints: ReadonlyMap<number, GivenEndpoint>;
}

export interface GivenSecret {
  /** A token, or null when the ARN is in the settings. */
  readonly arn: string | null;
  /** Null: only the ARN is known. */
  readonly secret: ISecret | null;
  readonly keyArn: string | undefined;
}

export type GivenEndpoint =
  | { readonly kind: 'sqs'; readonly target: IQueue | string }
  | { readonly kind: 'lambda'; readonly target: IFunction | string };

/** A function has room for 4 kB of environment variables, and an ARN has up to 150 bytes. */
const MAX_SECRETS_IN_STACK = 20;

/** Far deeper than the schema. */
const MAX_DEPTH = 100;

/** The values are unknown: the app may be JavaScript, which no compiler checks. */
type Fields = Readonly<Record<string, unknown>>;

type Path = readonly (string | number)[];

/** Identifies a CDK object. `instanceof` is not enough, because an app may have several copies of the library. */
interface Shape {
  readonly what: string;
  /** The name of an attribute that is a string. */
  readonly attribute: string;
  readonly method: string;
}

const SHAPES = {
  key: { what: 'a KMS key (IKey)', attribute: 'keyArn', method: 'grant' },
  table: { what: 'a DynamoDB table (ITable)', attribute: 'tableName', method: 'grant' },
  queue: { what: 'an SQS queue (IQueue)', attribute: 'queueArn', method: 'grantSendMessages' },
  function: { what: 'a Lambda function (IFunction)', attribute: 'functionArn', method: 'grantInvoke' },
  topic: { what: 'an SNS topic (ITopic)', attribute: 'topicArn', method: 'addToResourcePolicy' },
  secret: { what: 'a secret (ISecret)', attribute: 'secretArn', method: 'grantRead' },
} as const satisfies Readonly<Record<string, Shape>>;

/** All removal policies except SNAPSHOT, which tables, keys and secrets do not support. */
const REMOVAL_POLICIES: readonly unknown[] = [
  RemovalPolicy.RETAIN,
  RemovalPolicy.DESTROY,
  RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
];

/**
 * @param source names the construct in messages
 * @throws SettingsError with one line per fault
 */
export function readProps(props: IntegrationGuardProps, source: string): GivenProps {
  return unlessTooDeep(source, () => new PropsReader(source).read(props));
}

function isDuration(value: unknown): value is Duration {
  if (value instanceof Duration) return true;
  if (typeof value !== 'object' || value === null || value.constructor?.name !== 'Duration') return false;
  const { toMinutes, isUnresolved } = value as Partial<Duration>;
  return typeof toMinutes === 'function' && typeof isUnresolved === 'function';
}

class PropsReader {
  readonly #source: string;
  /** The faults, each with its printable path. */
  readonly #faults: { readonly path: string; readonly says: string }[] = [];
  readonly #secrets = new Map<string, GivenSecret>();
  readonly #endpoints = new Map<number, GivenEndpoint>();

  constructor(source: string) {
    this.#source = source;
  }

  read(props: unknown): GivenProps {
    const given = isPlainObject(props) ? props : {};
    const { secrets, encryptionKey, ledgerTable, deadLetterQueue, removalPolicy, deployed, ...plain } = given;
    const document = this.plainOf(
      isPlainObject(props)
        ? {
            ...plain,
            schedule: this.schedule(plain.schedule),
            projects: this.projects(plain.projects, secrets),
            fleet: this.fleet(plain.fleet),
            alerts: this.alerts(plain.alerts),
          }
        : props,
      [],
    );
    this.expect(['encryptionKey'], encryptionKey, SHAPES.key);
    this.expect(['ledgerTable'], ledgerTable, SHAPES.table);
    this.expect(['deadLetterQueue'], deadLetterQueue, SHAPES.queue);
    if (encryptionKey !== undefined && plain.encryption === 'aws-owned')
      this.fault(['encryptionKey'], ONLY_WITH_CUSTOMER_KEY);
    if (encryptionKey !== undefined && plain.encryptionKeyArn !== undefined)
      this.fault(['encryptionKeyArn'], 'not allowed together with encryptionKey');
    if (ledgerTable !== undefined && plain.ledgerTableName !== undefined)
      this.fault(['ledgerTableName'], 'not allowed together with ledgerTable');
    if (removalPolicy !== undefined && !REMOVAL_POLICIES.includes(removalPolicy))
      this.fault(['removalPolicy'], `expected RemovalPolicy.RETAIN or DESTROY, got ${show(removalPolicy)}`);
    if (deployed !== undefined && !isDeployedGuard(deployed))
      this.fault(['deployed'], `expected the result of readDeployedGuard, got ${show(deployed)}`);

    const settings = this.parse(document);
    const fleetKeyArn = isPlainObject(plain.fleet) ? plain.fleet.secretKeyArn : undefined;
    return {
      settings,
      secrets: this.#secrets,
      fleetKeyArn: typeof fleetKeyArn === 'string' ? fleetKeyArn : undefined,
      endpoints: this.#endpoints,
    };
  }

  /** Reports all faults together. Only one of this file and the schema reports a given value. */
  private parse(document: unknown): Settings {
    let faults = this.#faults.map(({ path, says }) => `${path}: ${says}`);
    try {
      const settings = parseSettings(document, this.#source);
      if (faults.length === 0) return settings;
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      const isSaid = (fault: string) => this.#faults.some(({ path }) => fault.startsWith(`${path}: `));
      faults = [...faults, ...error.faults.filter((fault) => !isSaid(fault))];
    }
    throw new SettingsError(faults, this.#source);
  }

  private fault(path: Path, says: string): void {
    this.#faults.push({ path: showPath(path), says });
  }

  /** Whether the value is a CDK object of that kind. Any other value except undefined is a fault. */
  private expect(path: Path, value: unknown, shape: Shape): boolean {
    if (value === undefined) return false;
    if (hasShape(value, shape)) return true;
    this.fault(path, `expected ${shape.what}, got ${show(value)}`);
    return false;
  }

  /** A duration as "rate(5 minutes)". The schema refuses anything but whole minutes. */
  private schedule(schedule: unknown): unknown {
    if (!isDuration(schedule)) return schedule;
    if (schedule.isUnresolved()) {
      this.fault(['schedule'], TOKEN);
      return null;
    }
    const minutes = schedule.toMinutes({ integral: false });
    return minutes === 24 * 60 ? 'rate(1 day)' : `rate(${minutes} ${minutes === 1 ? 'minute' : 'minutes'})`;
  }

  private projects(projects: unknown, secrets: unknown): unknown {
    const given = this.givenSecrets(projects, secrets);
    if (!isPlainObject(projects)) return projects;
    const read = Object.entries(projects).map(
      ([name, project]) => [name, this.project(name, project, given.get(name))] as const,
    );
    this.refuseSharedFields(projects);
    const inStack = [...this.#secrets.values()].filter(({ arn }) => arn !== null).length;
    if (inStack > MAX_SECRETS_IN_STACK) {
      const remedy = 'name the others with secretName';
      this.fault(
        ['secrets'],
        `expected at most ${MAX_SECRETS_IN_STACK} secrets whose ARN is known only at deployment, got ${inStack}; ${remedy}`,
      );
    }
    return Object.fromEntries(read);
  }

  /** The secrets by project; null for a value that is not a secret, which is already a fault. */
  private givenSecrets(projects: unknown, secrets: unknown): ReadonlyMap<string, ISecret | null> {
    const given = new Map<string, ISecret | null>();
    if (secrets === undefined) return given;
    if (!isPlainObject(secrets)) {
      this.fault(['secrets'], `expected an object of secrets by project, got ${show(secrets)}`);
      return given;
    }
    for (const [name, secret] of Object.entries(secrets)) {
      if (secret === undefined) continue;
      const isSecret = this.expect(['secrets', name], secret, SHAPES.secret);
      if (isPlainObject(projects) && Object.hasOwn(projects, name))
        given.set(name, isSecret ? (secret as ISecret) : null);
      else if (isSecret) this.fault(['secrets', name], 'expected the name of a listed project');
    }
    return given;
  }

  private project(name: string, project: unknown, secret: ISecret | null | undefined): unknown {
    // The schema reports this.
    if (!isPlainObject(project)) return project;
    const path = ['projects', name];
    const { secret: unknownSetting, secretArn, ...rest } = project;
    if (unknownSetting !== undefined)
      this.fault(path, 'unknown setting "secret"; use the construct’s "secrets" instead');
    if (secret !== undefined && (secretArn !== undefined || rest.secretName !== undefined))
      this.fault(path, 'secretName and secretArn are not allowed together with its entry in "secrets"');
    if (secret === null) return { ...rest, secret: IN_STACK };
    const arn = secret === undefined ? secretArn : (secret.secretFullArn ?? secret.secretArn);
    const { secretKeyArn, ...others } = rest;
    const keyArn = isToken(secretKeyArn) ? secretKeyArn : undefined;
    if (keyArn !== undefined && arn === undefined)
      this.fault([...path, 'secretKeyArn'], 'only allowed together with secretArn');
    if (secret !== undefined || isToken(arn) || keyArn !== undefined)
      this.#secrets.set(name, { arn: isToken(arn) ? arn : null, secret: secret ?? null, keyArn });
    return { ...(keyArn === undefined ? rest : others), ...(isToken(arn) ? { secret: IN_STACK } : { secretArn: arn }) };
  }

  /** Compares secrets whose ARNs are tokens. The schema compares the others. */
  private refuseSharedFields(projects: Fields): void {
    const uses = [...this.#secrets].flatMap(([project, { arn }]) => {
      const given = projects[project];
      const field = isPlainObject(given) && typeof given.secretField === 'string' ? given.secretField : undefined;
      return arn === null ? [] : [{ project, secret: arn, field }];
    });
    for (const { project, at, message } of findSharedSecretFaults(uses))
      this.fault(at === 'secret' ? ['projects', project] : ['projects', project, at], `expected ${message}`);
  }

  private fleet(fleet: unknown): unknown {
    if (!isPlainObject(fleet) || !isToken(fleet.secretKeyArn)) return fleet;
    const { secretKeyArn: _, ...rest } = fleet;
    return rest;
  }

  private alerts(alerts: unknown): unknown {
    if (!isPlainObject(alerts)) return alerts;
    const { topic, alarmsTopic, ...plain } = alerts;
    this.expect(['alerts', 'topic'], topic, SHAPES.topic);
    this.expect(['alerts', 'alarmsTopic'], alarmsTopic, SHAPES.topic);
    if (topic !== undefined && topic === alarmsTopic)
      this.fault(
        ['alerts', 'alarmsTopic'],
        'expected a topic other than alerts.topic: the filters of subscriptions would drop alarms',
      );
    if (!Array.isArray(plain.subscriptions)) return plain;
    return { ...plain, subscriptions: plain.subscriptions.map((each, index) => this.subscription(each, index)) };
  }

  private subscription(subscription: unknown, index: number): unknown {
    if (!isPlainObject(subscription)) return subscription;
    const { sqs, lambda } = subscription;
    return {
      ...subscription,
      ...(sqs === undefined ? {} : { sqs: this.endpoint(index, 'sqs', sqs, SHAPES.queue) }),
      ...(lambda === undefined ? {} : { lambda: this.endpoint(index, 'lambda', lambda, SHAPES.function) }),
    };
  }

  private endpoint(index: number, kind: GivenEndpoint['kind'], target: unknown, shape: Shape): unknown {
    const path = ['alerts', 'subscriptions', index, kind];
    // IN_STACK is internal to the construct. In an app's properties it is a fault.
    if (target === IN_STACK) return '';
    if (!isToken(target)) {
      if (!Construct.isConstruct(target)) return target;
      if (!this.expect(path, target, shape)) return null;
    }
    for (const [other, { target: otherTarget }] of this.#endpoints) {
      if (otherTarget !== target) continue;
      const owner = showPath(['alerts', 'subscriptions', other]);
      this.fault(
        path,
        `expected an endpoint of its own (AWS allows one subscription for each, and ${owner} has this one)`,
      );
    }
    this.#endpoints.set(index, { kind, target: target as never });
    return IN_STACK;
  }

  /**
   * A copy with plain JSON values only. Anything else is a fault: tokens, constructs and other class instances.
   */
  private plainOf(value: unknown, path: Path): unknown {
    // An object that contains itself would overflow the stack after seconds.
    if (path.length > MAX_DEPTH) throw new RangeError('too deep');
    if (Array.isArray(value) && !Token.isUnresolved(value))
      return value.map((element, index) => this.plainOf(element, [...path, index]));
    if (isPlainObject(value)) {
      // An undefined project is a mistake: it would not be guarded.
      const isKept = path.length === 1 && path[0] === 'projects';
      const entries = Object.entries(value).filter(([, inner]) => isKept || inner !== undefined);
      return Object.fromEntries(entries.map(([key, inner]) => [key, this.plainOf(inner, [...path, key])]));
    }
    const isForeign = Token.isUnresolved(value) || (typeof value === 'object' && value !== null);
    if (!isForeign) return value;
    this.fault(path, `expected a plain value, got ${show(value)}`);
    return null;
  }
}

const A_TOKEN = 'a CDK token (a value known only at deployment)';

const TOKEN = `expected a plain value, got ${A_TOKEN}`;

/** Whether the value is a plain object, from any realm: not a token, and not a class instance. */
function isPlainObject(value: unknown): value is Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || Token.isUnresolved(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function hasShape(value: unknown, { attribute, method }: Shape): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const fields = value as Fields;
  return typeof fields[attribute] === 'string' && typeof fields[method] === 'function';
}

function isToken(value: unknown): value is string {
  return typeof value === 'string' && Token.isUnresolved(value);
}

/** Any value, as a message may show it. Constructs refer to the whole app, so their content is not shown. */
function show(value: unknown): string {
  if (Construct.isConstruct(value)) return 'a CDK construct';
  if (Token.isUnresolved(value)) return A_TOKEN;
  if (typeof value !== 'object' || value === null || Array.isArray(value) || isPlainObject(value)) {
    const text = showValue(value);
    return /[$#]\{Token\[/.test(text) ? 'an object with a CDK token' : text;
  }
  const { name } = (value as { readonly constructor?: { readonly name?: unknown } }).constructor ?? {};
  return typeof name === 'string' && /^\w{1,40}$/.test(name) ? `an object of class ${name}` : 'an object of a class';
}
