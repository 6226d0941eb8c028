import * as z from 'zod';
import { SettingsError } from '../errors.ts';
import { normalise } from '../text/normalise.ts';
import { showName, showPath, showValue } from './fault.ts';
import {
  HTTPS_ENDPOINT,
  isChat,
  isPlainAddress,
  PROJECT_NAME,
  RUNBOOK_URL,
  SECRET_NAME,
  scheduleMinutes,
} from './formats.ts';
import { successorOf } from './migrate.ts';
import { secretIn, secretInEndpoint, WEBHOOK } from './misplaced-secret.ts';

/**
 * The one schema of the settings: defaults, bounds and, in each message, what was expected. A message completes the
 * sentence "PATH: expected …, got …".
 */
const wholeNumber = (smallest: number, largest: number, what: string) =>
  z.int(what).min(smallest, what).max(largest, what);

const positive = (largest = 1_000_000) =>
  wholeNumber(1, largest, largest === 1_000_000 ? 'a positive integer' : `a positive integer up to ${largest}`);

const notNegative = (largest = 1_000_000) => wholeNumber(0, largest, `0 or a positive integer up to ${largest}`);

const text = (what: string, pattern: RegExp) => z.string(what).regex(pattern, what);

const MINUTES_A_MONTH = 31 * 24 * 60;

const manualRecovery = z.strictObject({ mode: z.literal('manual') });

const probeRecovery = z
  .strictObject({
    mode: z.literal('probe'),
    /** Minutes a circuit stays open before the first probe. */
    cooldownMinutes: positive(MINUTES_A_MONTH).default(15),
    /** The cooldown is multiplied by this after each failed probe … */
    backoff: z
      .number('a number from 1 to 10')
      .min(1, 'a number from 1 to 10')
      .max(10, 'a number from 1 to 10')
      .default(2),
    /** … up to this. */
    maxCooldownMinutes: positive(MINUTES_A_MONTH).default(1_440),
    /** Probes before the guard gives up. */
    maxAttempts: positive(100).default(12),
    /** Failures in a row that end a probe. */
    probeErrors: positive().default(3),
  })
  .refine((recovery) => recovery.maxCooldownMinutes >= recovery.cooldownMinutes, {
    path: ['maxCooldownMinutes'],
    error: 'at least cooldownMinutes',
  });

const recovery = z.discriminatedUnion(
  'mode',
  [manualRecovery, probeRecovery],
  '{ "mode": "manual" } or { "mode": "probe", … }',
);

const mode = z.enum(['enforce', 'observe'], '"enforce" or "observe"');

const flapping = z.enum(['tell', 'pause', 'off'], '"tell", "pause" or "off"');

const limits = {
  errorThreshold: positive(),
  failingForMinutes: notNegative(MINUTES_A_MONTH),
  warnThreshold: notNegative(),
};

const hours = positive(24 * 31);

/** For integrations that fail for days without ever reaching `errorThreshold`. */
const lowTraffic = z.union(
  [
    z.literal('off'),
    z
      .strictObject({
        errors: positive().default(3),
        /** Hours of failures until the early warning … */
        warnAfterHours: hours.default(12),
        /** … and until the pause. */
        pauseAfterHours: hours.default(120),
      })
      .refine((entry) => entry.pauseAfterHours >= entry.warnAfterHours, {
        path: ['pauseAfterHours'],
        error: 'at least warnAfterHours',
      }),
  ],
  '"off" or { "errors": 3, "warnAfterHours": 12, "pauseAfterHours": 120 }',
);

const percent = (least: number, what: string) => wholeNumber(least, 100, what);

/** Many integrations of one provider that fail together have one cause, and none of them is broken. */
const providerOutage = z.union(
  [
    z.literal('off'),
    z.strictObject({
      percent: percent(30, 'a whole number from 30 to 100').default(60),
      minimum: wholeNumber(2, 1_000_000, 'a whole number from 2').default(3),
      /** The longest that an outage holds pauses and warnings back. */
      holdHours: hours.default(48),
      /** Display titles whose integrations share no endpoint. */
      except: z
        .array(text('a provider such as "Webhooks"', /\S/), 'a list of providers')
        .max(100)
        .default(['Webhooks']),
    }),
  ],
  '"off" or { "percent": 60, "minimum": 3, "holdHours": 48, "except": ["Webhooks"] }',
);

const match = z
  .strictObject({
    id: text('an integration id', /^[\w.-]{1,256}$/).optional(),
    integration: text('a provider such as "Amplitude"', /\S/).transform(normalise).optional(),
    target_platform: z.enum(['iOS', 'Android', 'Stripe'], '"iOS", "Android" or "Stripe"').optional(),
    /** A glob: `*` any run of characters, `?` one. Compared with titles as the guard shows them. */
    title: text('a title or a glob such as "*staging*"', /\S/).transform(normalise).optional(),
  })
  .refine((criteria) => Object.keys(criteria).length > 0, 'at least one of id, integration, target_platform, title');

const override = z
  .strictObject({
    match,
    mode: z.enum(['enforce', 'observe', 'ignore'], '"enforce", "observe" or "ignore"').optional(),
    errorThreshold: limits.errorThreshold.optional(),
    failingForMinutes: limits.failingForMinutes.optional(),
    warnThreshold: limits.warnThreshold.optional(),
    lowTraffic: lowTraffic.optional(),
    flapping: flapping.optional(),
    recovery: recovery.optional(),
  })
  .refine((entry) => Object.keys(entry).length > 1, 'something to change beside "match"');

const policy = z
  .strictObject({
    mode: mode.default('enforce'),
    errorThreshold: limits.errorThreshold.default(50),
    failingForMinutes: limits.failingForMinutes.default(60),
    lowTraffic: lowTraffic.prefault({}),
    /** Left out: half of the errorThreshold that applies. 0: no early warning. */
    warnThreshold: limits.warnThreshold.optional(),
    blastRadius: z
      .strictObject({
        percent: percent(0, 'a whole number from 0 to 100').default(50),
        floor: notNegative().default(3),
      })
      .prefault({}),
    recovery: recovery.prefault({ mode: 'probe' }),
    providerOutage: providerOutage.prefault({}),
    /** UTC. One summary a day of everything that is stopped or still failing. */
    remindAt: text('a time of day in UTC such as "08:00", or "never"', /^(?:(?:[01]\d|2[0-3]):[0-5]\d|never)$/).default(
      '08:00',
    ),
    /** What to do about an integration that fails and delivers by turns, which no count shows. */
    flapping: flapping.default('tell'),
    overrides: z.array(override, 'a list').max(500, 'at most 500 overrides').default([]),
  })
  .superRefine((whole, context) => {
    const check = (path: (string | number)[], warn: number | undefined, threshold: number) => {
      if (warn !== undefined && warn > threshold) {
        context.addIssue({ code: 'custom', path, input: warn, message: `at most errorThreshold (${threshold})` });
      }
    };
    check(['warnThreshold'], whole.warnThreshold, whole.errorThreshold);
    whole.overrides.forEach((entry, index) => {
      const key = entry.warnThreshold === undefined ? 'errorThreshold' : 'warnThreshold';
      if (entry.warnThreshold === undefined && entry.errorThreshold === undefined) return;
      const warn = entry.warnThreshold ?? whole.warnThreshold;
      check(['overrides', index, key], warn, entry.errorThreshold ?? whole.errorThreshold);
    });
  });

const API_URL = 'https://api.qonversion.io/v4';

const API_URL_MESSAGE =
  'an https:// address of host, port and path, without credentials, query, fragment or encoding (http:// only for loopback hosts)';

const apiUrl = z
  .string(API_URL_MESSAGE)
  .refine(isPlainAddress, API_URL_MESSAGE)
  .transform((value) => value.replace(/\/$/, ''));

/** The name of a resource is part of commands and of policies, so it is what the service takes and nothing else. */
const ARN = (service: string, resource: string, what: string) =>
  text(`the ARN of ${what}`, new RegExp(`^arn:aws[a-z-]*:${service}:[a-z0-9-]+:\\d{12}:${resource}$`));

/** In place of a name or an ARN: a CDK construct gives it, and it is known only at deployment. */
export const IN_STACK = 'in-stack';

const SECRET_ARN = ARN('secretsmanager', 'secret:[\\w/+=.@-]{1,519}', 'a Secrets Manager secret');
const KEY_ARN = ARN('kms', 'key/[\\w-]{1,100}', 'a KMS key');

/** E-mail addresses, telephone and card numbers, IBANs and IP addresses of end users, in error messages of providers. */
const personalData = z.enum(['redact', 'show'], '"redact" or "show"');

export type PersonalData = z.output<typeof personalData>;

const project = z
  .strictObject({
    secretName: text('a Secrets Manager name (letters, digits and /_+=.@-)', SECRET_NAME).optional(),
    secretArn: SECRET_ARN.optional(),
    /** Only in the settings that a stack carries: the secret's ARN is in the functions' environment and in an output of the stack. */
    secret: z.literal(IN_STACK, 'no such setting').optional(),
    /** The first name of a project that has been renamed. Under it the ledger goes on. */
    renamedFrom: text('the name the project had', PROJECT_NAME).optional(),
    /** Needed only for a secretArn whose secret is encrypted with a customer-managed key. */
    secretKeyArn: KEY_ARN.optional(),
    apiUrl: apiUrl.default(API_URL),
    personalData: personalData.default('redact'),
    policy: policy.prefault({}),
  })
  .superRefine((entry, context) => {
    const given = [entry.secretName, entry.secretArn, entry.secret].filter((value) => value !== undefined).length;
    if (given !== 1) {
      context.addIssue({ code: 'custom', path: [], message: 'exactly one of secretName and secretArn', input: given });
    }
    if (entry.secretKeyArn !== undefined && entry.secretArn === undefined && entry.secret === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['secretKeyArn'],
        message: 'only allowed together with secretArn',
        input: entry.secretKeyArn,
      });
    }
  });

/** EventBridge Scheduler accepts more; a guard that looks less often than daily or at odd hours does not guard. */
const SCHEDULE_MESSAGE = 'rate(N minutes), rate(N hours) or rate(1 day), from 1 minute to 1 day';

const schedule = z.string(SCHEDULE_MESSAGE).refine((value) => {
  const minutes = scheduleMinutes(value);
  return minutes !== null && minutes >= 1 && minutes <= 24 * 60;
}, SCHEDULE_MESSAGE);

/**
 * What one stack has room for: CloudFormation takes a template of a megabyte (the dashboards are most of it) and 500 resources,
 * IAM 10,240 characters of a role's inline policies.
 */
export const MAX_PROJECTS = 80;

const projects = z.record(z.string(), project, 'an object of projects by name').superRefine((entries, context) => {
  const names = Object.keys(entries);
  if (names.length > MAX_PROJECTS) {
    const message = `at most ${MAX_PROJECTS} projects listed in a stack (CloudFormation takes no more; "fleet" finds any number by a tag, docs/fleet.md)`;
    context.addIssue({ code: 'custom', path: [], message, input: names.length });
  }
  const owners = new Map<string, string>();
  for (const name of names) {
    if (!PROJECT_NAME.test(name)) {
      const message = 'a project name of letters, digits, "-" and "_" (64 at most)';
      context.addIssue({ code: 'custom', path: [name], message, input: name });
    }
    const secret = entries[name]?.secretArn ?? entries[name]?.secretName;
    if (secret === undefined) continue;
    const owner = owners.get(secret);
    if (owner !== undefined) {
      const message = `a secret of its own (one project is one Secret Key, and projects.${showName(owner)} has this one)`;
      context.addIssue({
        code: 'custom',
        path: [name, entries[name]?.secretArn === undefined ? 'secretName' : 'secretArn'],
        message,
        input: secret,
      });
    }
    owners.set(secret, name);
  }
  const ledgers = new Map(names.map((name) => [name, name]));
  for (const name of names) {
    const former = entries[name]?.renamedFrom;
    if (former === undefined) continue;
    const owner = ledgers.get(former);
    if (owner !== undefined) {
      const message = `a name that no other project has or had (projects.${showName(owner)} goes on with that ledger)`;
      context.addIssue({ code: 'custom', path: [name, 'renamedFrom'], message, input: former });
    }
    ledgers.set(former, name);
  }
});

/** A policy of the fleet: for the secrets that ask for it by a tag, or for projects of certain names, or for both. */
const fleetPolicy = z
  .strictObject({
    /** Value of the tag `integration-guard:policy` by which a secret asks for it. */
    tag: text('a tag value of letters, digits, "-" and "_"', PROJECT_NAME).optional(),
    /** A glob over project names: `*` any run of characters, `?` one. */
    match: text('a glob over project names such as "trial-*"', /\S/).optional(),
    policy,
  })
  .refine((entry) => entry.tag !== undefined || entry.match !== undefined, 'a tag, a match, or both');

/** Lambda's own limit for an account is 1,000 at first, and everything else in the account shares it. */
const MAX_AT_ONCE = 1_000;

const fleetOfWholePolicies = z
  .strictObject({
    /**
     * Of the secrets that may be projects; a project's name is what follows. Without one, a person who may tag any secret of the
     * account would have the guard read it.
     */
    secretNamePrefix: text(
      'the beginning of the secrets\' names such as "qonversion/" (letters, digits and /_+=.@-)',
      /^[\w/+=.@-]{1,256}$/,
    ),
    /** Needed only when the secrets are encrypted with a customer-managed key. */
    secretKeyArn: KEY_ARN.optional(),
    apiUrl: apiUrl.default(API_URL),
    personalData: personalData.default('redact'),
    /** Passes at once. */
    concurrency: positive(MAX_AT_ONCE).default(20),
    policy: policy.prefault({}),
    /** The first that fits applies; a secret's tag goes before names. None fits: `policy`, from which they differ. */
    policies: z.array(fleetPolicy, 'a list').max(100, 'at most 100 policies').default([]),
  })
  .superRefine(({ policies }, context) => {
    policies.forEach(({ tag }, index) => {
      if (tag === undefined || policies.findIndex((other) => other.tag === tag) === index) return;
      context.addIssue({
        code: 'custom',
        path: ['policies', index, 'tag'],
        message: 'a tag value of its own',
        input: tag,
      });
    });
  });

/** What one of a fleet's policies does not say is as in the fleet's own: so that a fleet that is observed stays so. */
const fleet = z.preprocess((given) => {
  if (!isObject(given) || !Array.isArray(given.policies) || !policy.safeParse(given.policy).success) return given;
  const own = given.policy as object;
  const policies = given.policies.map((entry: unknown) =>
    isObject(entry) && isObject(entry.policy) ? { ...entry, policy: { ...own, ...entry.policy } } : entry,
  );
  return { ...given, policies };
}, fleetOfWholePolicies);

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const ENDPOINT_KINDS = ['email', 'sms', 'sqs', 'lambda', 'https', 'slack', 'teams'] as const;

/** Channels of Amazon Q Developer in chat applications; whoever sets them up authorises the workspace or team there once. */
const slack = z.strictObject(
  {
    workspaceId: text('the id of a Slack workspace such as "T0ABCDEF1"', /^[0-9A-Z]{1,255}$/),
    channelId: text('the id of a Slack channel such as "C0ABCDEF1"', /^[A-Za-z0-9]{1,255}$/),
  },
  'an object with workspaceId and channelId',
);

const UUID = /^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;

const teams = z.strictObject(
  {
    tenantId: text('the id of a Microsoft Teams tenant (a UUID)', UUID),
    teamId: text('the id of a Microsoft Teams team (a UUID)', UUID),
    channelId: text(
      'the id of a Teams channel as in its link ("19%3a…%40thread.tacv2")',
      /^[\w=+/.,-]*%3[aA][\w=+/.,-]*%40[\w=+/.,-]*$/,
    ),
  },
  'an object with tenantId, teamId and channelId',
);

const QUEUE_ARN = ARN('sqs', '[\\w-]{1,80}(?:\\.fifo)?', 'an SQS queue');
const FUNCTION_ARN = ARN('lambda', 'function:[\\w-]{1,140}(?::[\\w$-]{1,128})?', 'a Lambda function');

const subscription = z
  .strictObject({
    email: z.email('a mail address').optional(),
    sms: text('a phone number in E.164 form such as "+15551230000"', /^\+[1-9]\d{6,14}$/).optional(),
    sqs: z.union([QUEUE_ARN, z.literal(IN_STACK)], 'the ARN of an SQS queue').optional(),
    lambda: z.union([FUNCTION_ARN, z.literal(IN_STACK)], 'the ARN of a Lambda function').optional(),
    https: text('an https:// address', HTTPS_ENDPOINT).optional(),
    slack: slack.optional(),
    teams: teams.optional(),
    minSeverity: z.enum(['info', 'warning', 'critical'], '"info", "warning" or "critical"').default('info'),
    /** Left out: every project. */
    projects: z.array(z.string('a project name'), 'a list of project names').min(1, 'at least one project').optional(),
    /** Whether the CloudWatch alarms about the guard itself go here too. Left out: yes for people (email, sms, slack, teams). */
    alarms: z.boolean('true or false').optional(),
  })
  .refine((entry) => ENDPOINT_KINDS.filter((kind) => entry[kind] !== undefined).length === 1, {
    error: `exactly one of ${ENDPOINT_KINDS.join(', ')}`,
  });

/** Null: only the construct knows it. */
function endpointOf(entry: z.output<typeof subscription>) {
  const kind = ENDPOINT_KINDS.find((each) => entry[each] !== undefined);
  if (kind === undefined || entry[kind] === IN_STACK) return null;
  // A channel's fields are in the order of the schema by now.
  return { kind, key: `${kind} ${JSON.stringify(entry[kind])}` };
}

const MAX_CHATS = 8;

const settings = z
  .strictObject({
    schedule: schedule.default('rate(5 minutes)'),
    projects: projects.default({}),
    /** Every secret with the tag `integration-guard:project` is a project. */
    fleet: fleet.optional(),
    alerts: z
      .strictObject({
        subscriptions: z
          .array(subscription, 'a list')
          .max(100, 'at most 100 subscriptions')
          // Their topics are named in the function's environment, which has room for no more.
          .refine((entries) => entries.filter(isChat).length <= MAX_CHATS, `at most ${MAX_CHATS} chat channels`)
          .default([]),
        /** Where alerts and alarms send their readers; the section follows after a "#". Left out: to the control panel. */
        runbookUrl: text('an https:// address without "#"', RUNBOOK_URL).optional(),
      })
      .prefault({}),
    /** Of an earlier deployment, which left it when it was destroyed. Left out: the stack has its own. */
    ledgerTableName: text('the name of a DynamoDB table', /^[\w.-]{3,255}$/).optional(),
    /** Encrypts topics, logs and secrets. Left out: the stack has its own. */
    encryptionKeyArn: KEY_ARN.optional(),
  })
  .superRefine((whole, context) => {
    if (whole.fleet === undefined && Object.keys(whole.projects).length === 0) {
      const message = 'at least one project (or "fleet")';
      context.addIssue({ code: 'custom', path: ['projects'], message, input: 'none' });
    }
    whole.alerts.subscriptions.forEach((entry, index, all) => {
      const endpoint = endpointOf(entry);
      const owner = endpoint === null ? index : all.findIndex((other) => endpointOf(other)?.key === endpoint.key);
      if (endpoint !== null && owner < index) {
        const message = `an endpoint of its own (AWS takes one subscription of each, and alerts.subscriptions.${owner} has this one)`;
        const path = ['alerts', 'subscriptions', index, endpoint.kind];
        context.addIssue({ code: 'custom', path, message, input: entry[endpoint.kind] });
      }
      entry.projects?.forEach((name, position) => {
        // Which projects a fleet has is not known here.
        if (Object.hasOwn(whole.projects, name) || whole.fleet !== undefined) return;
        const message = `one of the projects (${Object.keys(whole.projects).map(showName).join(', ')})`;
        context.addIssue({
          code: 'custom',
          path: ['alerts', 'subscriptions', index, 'projects', position],
          message,
          input: name,
        });
      });
    });
  });

/** For the documentation: names, defaults and messages of all settings. To check a document, use `parseSettings`. */
export { settings as settingsSchema };

export type Settings = z.output<typeof settings>;
/** A settings document as a person writes it. What `preprocess` takes zod does not know. */
export type SettingsInput = Omit<z.input<typeof settings>, 'fleet'> & {
  readonly fleet?: z.input<typeof fleetOfWholePolicies> | undefined;
};
export type ProjectSettings = z.output<typeof project>;
export type FleetSettings = z.output<typeof fleet>;
export type Policy = z.output<typeof policy>;
export type Override = Policy['overrides'][number];
export type Match = Override['match'];
/** The policy of a project whose settings say nothing about it. */
export const DEFAULT_POLICY: Policy = policy.parse({});

export type Recovery = z.output<typeof recovery>;
export type LowTraffic = z.output<typeof lowTraffic>;
export type FlappingPolicy = z.output<typeof flapping>;
export type Subscription = z.output<typeof subscription>;

/**
 * Checks a settings document and fills in its defaults.
 * @param source Where it came from, for the message ("cdk.json").
 * @throws SettingsError with one line per fault, each beginning with the path of the fault.
 */
export function parseSettings(document: unknown, source = 'settings'): Settings {
  return unlessTooDeep(source, () => parseDocument(document, source));
}

/** @throws SettingsError when the document is nested so deep that reading it takes all of the stack */
export function unlessTooDeep<Result>(source: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SettingsError(['expected settings, got something that is nested too deep'], source);
  }
}

function parseDocument(document: unknown, source: string): Settings {
  // Alone: a sentence about another fault could show what is next to it.
  const secrets = findMisplacedSecrets(document);
  if (secrets.length > 0) throw new SettingsError(secrets, source);
  const unusable = findPrototypeKeys(document, []);
  if (unusable.length > 0) throw new SettingsError(unusable, source);
  const result = settings.safeParse(document, { reportInput: true });
  if (result.success) return result.data;
  throw new SettingsError(
    result.error.issues.flatMap((issue) => describeIssue(issue)),
    source,
  );
}

/** Every name and every string of a document that looks like a secret, as one sentence each that shows none of it. */
export function findMisplacedSecrets(value: unknown, path: readonly (string | number)[] = []): readonly string[] {
  if (typeof value === 'string') {
    const found = secretIn(value) ?? (path.at(-1) === 'https' ? secretInEndpoint(value) : null);
    return found === null ? [] : [describeMisplaced(found, path)];
  }
  if (Array.isArray(value)) return value.flatMap((element, index) => findMisplacedSecrets(element, [...path, index]));
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const here = [...path, name];
    const found = secretIn(name);
    return [...(found === null ? [] : [describeMisplaced(found, here)]), ...findMisplacedSecrets(inner, here)];
  });
}

function describeMisplaced(found: string, path: readonly PropertyKey[]): string {
  const remedy =
    found === WEBHOOK
      ? 'take it out, and subscribe the address to the topic in the stack’s output AlertsTopicArn (for Slack and Teams there are "slack" and "teams")'
      : 'take it out and replace the secret if others have seen the file (settings only name the secret that holds the key)';
  return `${showPath(path)}: expected no secret, and this looks like ${found}; ${remedy}`;
}

/** Zod drops an entry of this name in silence: a project would not be guarded. */
function findPrototypeKeys(value: unknown, path: readonly (string | number)[]): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((element, index) => findPrototypeKeys(element, [...path, index]));
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const here = [...path, key];
    return key === '__proto__' ? [`${showPath(here)}: expected another name`] : findPrototypeKeys(inner, here);
  });
}

/** The command that turns settings of earlier versions into settings of this one. */
const MIGRATE = 'integration-guard settings migrate';

function describeIssue(issue: z.core.$ZodIssue): string[] {
  const path = showPath(issue.path);
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => {
      const successor = successorOf(issue.path, key);
      const hint = successor === null ? '' : `; ${successor} (${MIGRATE} changes it for you)`;
      return `${path}: unknown setting "${showName(key)}"${hint}`;
    });
  const expected = issue.message.replace(/^Invalid input: expected ([^,]+).*$/, 'an $1');
  return [`${path}: expected ${expected}, got ${showValue(issue.input)}`];
}
