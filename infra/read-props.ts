import { Duration, Token } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { SettingsError } from '../functions/guard/errors.ts';
import { showPath } from '../functions/guard/settings/fault.ts';
import { IN_STACK, parseSettings, type Settings } from '../functions/guard/settings/schema.ts';
import type { IntegrationGuardProps, ProjectProps, SubscriptionProps } from './props.ts';

/** Properties of the construct, taken apart: plain settings, checked as those of a file are, and CDK's objects and tokens. */
export interface GivenProps {
  /** Where they refer to something that only the deployment knows, they say IN_STACK. */
  readonly settings: Settings;
  /** Secrets that are no plain ARN, by project. */
  readonly secrets: ReadonlyMap<string, GivenSecret>;
  /** ARN of the key of the fleet's secrets, which may be a token. */
  readonly fleetKeyArn: string | undefined;
  /** Queues and functions that are no plain ARN, by position of their subscription. */
  readonly endpoints: ReadonlyMap<number, GivenEndpoint>;
}

export interface GivenSecret {
  /** A token, or null when the ARN is in the settings. */
  readonly arn: string | null;
  /** Null: all there is is an ARN. */
  readonly secret: ISecret | null;
  readonly keyArn: string | undefined;
}

export type GivenEndpoint =
  | { readonly kind: 'sqs'; readonly target: IQueue | string }
  | { readonly kind: 'lambda'; readonly target: IFunction | string };

/** Environment variables of a function take 4 kB, and an ARN up to 150 bytes. */
const MAX_SECRETS_IN_STACK = 20;

/**
 * @param source names the construct in messages
 * @throws SettingsError with one line per fault
 */
export function readProps(props: IntegrationGuardProps, source: string): GivenProps {
  const { secrets = {}, encryptionKey, ledgerTable, deadLetterQueue, removalPolicy, deployed, ...plain } = props;
  const faults: string[] = [];
  const given = new Map<string, GivenSecret>();
  const endpoints = new Map<number, GivenEndpoint>();

  const projects = mapValues(plain.projects, (project, name) => {
    const read = readProject(project, Object.hasOwn(secrets, name) ? secrets[name] : undefined);
    if (read.given !== null) given.set(name, read.given);
    if (read.fault !== null) faults.push(`${showPath(['projects', name])}: ${read.fault}`);
    return read.project;
  });
  for (const name of Object.keys(secrets)) {
    if (plain.projects !== undefined && Object.hasOwn(plain.projects, name)) continue;
    faults.push(`${showPath(['secrets', name])}: expected the name of a listed project`);
  }
  const inStack = [...given.values()].filter(({ arn }) => arn !== null).length;
  if (inStack > MAX_SECRETS_IN_STACK) {
    const remedy = 'name the others with secretName';
    faults.push(
      `secrets: expected at most ${MAX_SECRETS_IN_STACK} whose ARN only the deployment knows, got ${inStack}; ${remedy}`,
    );
  }
  if (encryptionKey !== undefined && plain.encryptionKeyArn !== undefined)
    faults.push('encryptionKeyArn: expected nothing beside encryptionKey');
  if (ledgerTable !== undefined && plain.ledgerTableName !== undefined)
    faults.push('ledgerTableName: expected nothing beside ledgerTable');

  const { topic, alarmsTopic, ...alerts } = plain.alerts ?? {};
  const subscriptions = alerts.subscriptions?.map((subscription, index) => {
    const read = readSubscription(subscription);
    if (read.endpoint !== null) endpoints.set(index, read.endpoint);
    return read.subscription;
  });
  const fleetKeyArn = plain.fleet?.secretKeyArn;
  const fleet = isToken(fleetKeyArn) ? without(plain.fleet, 'secretKeyArn') : plain.fleet;
  const document = {
    ...plain,
    ...(plain.schedule instanceof Duration ? { schedule: toRate(plain.schedule) } : {}),
    ...(projects === undefined ? {} : { projects }),
    ...(fleet === undefined ? {} : { fleet }),
    ...(plain.alerts === undefined
      ? {}
      : { alerts: { ...alerts, ...(subscriptions === undefined ? {} : { subscriptions }) } }),
  };
  faults.push(...findForeign(document, []));
  if (faults.length > 0) throw new SettingsError(faults, source);
  return { settings: parseSettings(document, source), secrets: given, fleetKeyArn, endpoints };
}

function readProject(
  project: ProjectProps,
  secret: ISecret | undefined,
): { readonly project: unknown; readonly given: GivenSecret | null; readonly fault: string | null } {
  // Left to the schema, which says what is expected instead.
  if (typeof project !== 'object' || project === null) return { project, given: null, fault: null };
  if ('secret' in project)
    return { project: {}, given: null, fault: 'unknown setting "secret"; give the construct’s "secrets" instead' };
  if (secret === undefined && !isToken(project.secretArn)) {
    if (!isToken(project.secretKeyArn)) return { project, given: null, fault: null };
    const given = { arn: null, secret: null, keyArn: project.secretKeyArn };
    return { project: without(project, 'secretKeyArn'), given, fault: null };
  }
  const fault =
    secret !== undefined && (project.secretArn !== undefined || project.secretName !== undefined)
      ? 'expected neither secretName nor secretArn beside its entry in "secrets"'
      : null;
  const arn = secret === undefined ? project.secretArn : (secret.secretFullArn ?? secret.secretArn);
  const { secretKeyArn: keyArn, secretArn: _, ...rest } = project;
  const isKnown = arn !== undefined && !Token.isUnresolved(arn);
  return {
    project: { ...rest, ...(isKnown ? { secretArn: arn } : { secret: IN_STACK }) },
    given: { arn: isKnown || arn === undefined ? null : arn, secret: secret ?? null, keyArn },
    fault,
  };
}

function readSubscription(subscription: SubscriptionProps): {
  readonly subscription: unknown;
  readonly endpoint: GivenEndpoint | null;
} {
  if (typeof subscription !== 'object' || subscription === null) return { subscription, endpoint: null };
  const { sqs, lambda } = subscription;
  if (isGiven(sqs)) return { subscription: { ...subscription, sqs: IN_STACK }, endpoint: { kind: 'sqs', target: sqs } };
  if (isGiven(lambda))
    return { subscription: { ...subscription, lambda: IN_STACK }, endpoint: { kind: 'lambda', target: lambda } };
  // The word is the construct's own: whoever writes it gets to hear what is expected.
  const own = sqs === IN_STACK || lambda === IN_STACK ? { [sqs === IN_STACK ? 'sqs' : 'lambda']: '' } : {};
  return { subscription: { ...subscription, ...own }, endpoint: null };
}

/** Whether it is a construct, or a token in place of an ARN. */
function isGiven<T>(endpoint: T | string | undefined): endpoint is T | string {
  return isToken(endpoint) || (typeof endpoint === 'object' && endpoint !== null && Construct.isConstruct(endpoint));
}

function isToken(value: unknown): value is string {
  return typeof value === 'string' && Token.isUnresolved(value);
}

/** "rate(5 minutes)"; anything else but whole minutes is left to the schema to refuse. */
function toRate(schedule: Duration): string {
  const minutes = schedule.toSeconds() / 60;
  return minutes === 24 * 60 ? 'rate(1 day)' : `rate(${minutes} ${minutes === 1 ? 'minute' : 'minutes'})`;
}

/** Tokens and constructs where neither is understood, and what only the construct itself writes. */
function findForeign(value: unknown, path: readonly (string | number)[]): readonly string[] {
  if (typeof value === 'string' || typeof value === 'number') {
    return Token.isUnresolved(value)
      ? [`${showPath(path)}: expected a plain value, got a CDK token (a value that only the deployment knows)`]
      : [];
  }
  if (typeof value !== 'object' || value === null) return [];
  if (Construct.isConstruct(value)) return [`${showPath(path)}: expected a plain value, got a CDK construct`];
  if (Array.isArray(value)) return value.flatMap((element, index) => findForeign(element, [...path, index]));
  return Object.entries(value).flatMap(([key, inner]) => findForeign(inner, [...path, key]));
}

function mapValues<From, To>(
  values: Readonly<Record<string, From>> | undefined,
  change: (value: From, key: string) => To,
): Readonly<Record<string, To>> | undefined {
  if (typeof values !== 'object' || values === null || Array.isArray(values)) return values as undefined;
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, change(value, key)]));
}

function without<T extends object>(value: T | undefined, key: keyof T): Partial<T> | undefined {
  if (value === undefined) return undefined;
  const { [key]: _, ...rest } = value;
  return rest as Partial<T>;
}
