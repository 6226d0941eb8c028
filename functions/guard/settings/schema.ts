import * as z from 'zod';
import { SettingsError } from '../errors.ts';
import { nearest } from '../text/nearest.ts';
import { normalise } from '../text/normalise.ts';
import { describeIssues, NO_SUCH_SETTING } from './describe-issue.ts';
import { showName, showPath } from './fault.ts';
import {
  HEADER_NAME,
  HTTPS_ENDPOINT,
  isChat,
  isIncidentTool,
  isPlainAddress,
  PROJECT_NAME,
  RUNBOOK_URL,
  SECRET_FIELD,
  SECRET_ID,
  SECRET_NAME,
  scheduleMinutes,
  TIME_OF_DAY,
  WEBHOOK_URL,
} from './formats.ts';
import { placesOf } from './known-settings.ts';
import {
  CREDENTIAL,
  secretIn,
  secretInEndpoint,
  secretInSecretName,
  secretInWebhook,
  WEBHOOK,
} from './misplaced-secret.ts';
import { A_TIME_ZONE, isTimeZone } from './quiet-hours.ts';
import { findSharedSecretFaults } from './shared-secrets.ts';

/**
 * The schema of the settings, with defaults and bounds. Each message completes the sentence "PATH: expected …, got …".
 */

/** A fault that depends on several values. `got` replaces the value in the message, `says` the whole sentence. */
interface Fault {
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** The value at fault. */
  readonly input?: unknown;
  /** Completes "got …" in words. */
  readonly got?: string;
  /** Completes "PATH: …". */
  readonly says?: string;
}

function addFault(context: z.RefinementCtx, { path, message, input, got, says }: Fault): void {
  context.addIssue({ code: 'custom', path: [...path], message, input, params: { got, says } });
}

const wholeNumber = (smallest: number, largest: number, what: string) =>
  z.int(what).min(smallest, what).max(largest, what);

/** No real count of failures is higher, so messages mention the limit only when it is exceeded. */
const MAX_COUNT = 1_000_000;

const positive = (largest = MAX_COUNT) =>
  largest === MAX_COUNT
    ? z.int('a positive integer').min(1, 'a positive integer').max(largest, `a positive integer up to ${largest}`)
    : wholeNumber(1, largest, `a positive integer up to ${largest}`);

const notNegative = (largest = MAX_COUNT) => wholeNumber(0, largest, `0 or a positive integer up to ${largest}`);

const text = (what: string, pattern: RegExp) => z.string(what).regex(pattern, what);

/** Text with at least one visible character. The guard compares it with names that it shows. */
const visibleText = (what: string) => z.string(what).refine((value) => normalise(value) !== '', what);

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
  .superRefine(({ cooldownMinutes: least, maxCooldownMinutes: most }, context) => {
    if (most < least)
      addFault(context, { path: ['maxCooldownMinutes'], message: `at least cooldownMinutes (${least})`, input: most });
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
      .superRefine(({ warnAfterHours: warn, pauseAfterHours: pause }, context) => {
        if (pause < warn)
          addFault(context, { path: ['pauseAfterHours'], message: `at least warnAfterHours (${warn})`, input: pause });
      }),
  ],
  '"off" or { "errors": 3, "warnAfterHours": 12, "pauseAfterHours": 120 }',
);

const percent = (least: number, what: string) => wholeNumber(least, 100, what);

/** If many integrations of one provider fail together, the provider is the cause, not the integrations. */
const providerOutage = z.union(
  [
    z.literal('off'),
    z.strictObject({
      percent: percent(30, 'a whole number from 30 to 100').default(60),
      minimum: wholeNumber(2, 1_000_000, 'a whole number from 2').default(3),
      /** The maximum time that an outage holds back pauses and warnings. */
      holdHours: hours.default(48),
      /** Display titles whose integrations share no endpoint. */
      except: z
        .array(visibleText('a provider such as "Webhooks"'), 'a list of providers such as ["Webhooks"]')
        .max(100, 'at most 100 providers')
        .default(['Webhooks']),
    }),
  ],
  '"off" or { "percent": 60, "minimum": 3, "holdHours": 48, "except": ["Webhooks"] }',
);

const match = z
  .strictObject({
    id: text('an integration id (letters, digits, ".", "_" and "-")', /^[\w.-]{1,256}$/).optional(),
    integration: visibleText('a provider such as "Amplitude"').transform(normalise).optional(),
    target_platform: z.enum(['iOS', 'Android', 'Stripe'], '"iOS", "Android" or "Stripe"').optional(),
    /** A glob: `*` any run of characters, `?` one. It is matched against titles as the guard shows them. */
    title: visibleText('a title or a glob such as "*staging*"').transform(normalise).optional(),
  })
  .refine((criteria) => Object.keys(criteria).length > 0, 'at least one of id, integration, target_platform and title');

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
  .superRefine((entry, context) => {
    if (Object.keys(entry).length === 1)
      addFault(context, { path: [], message: 'at least one setting besides "match"', got: 'none' });
  });

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
    /** The time (UTC) of the daily summary of everything that is stopped or still failing. */
    remindAt: text('a time of day in UTC such as "08:00", or "never"', /^(?:(?:[01]\d|2[0-3]):[0-5]\d|never)$/).default(
      '08:00',
    ),
    /** The reaction to an integration that alternates between failing and delivering, which no count shows. */
    flapping: flapping.default('tell'),
    overrides: z.array(override, 'a list').max(500, 'at most 500 overrides').default([]),
  })
  .superRefine(({ warnThreshold, errorThreshold, overrides }, context) => {
    const isTooHigh = (warn: number | undefined, threshold: number) => warn !== undefined && warn > threshold;
    const atMost = (threshold: number) => `at most errorThreshold (${threshold})`;
    if (isTooHigh(warnThreshold, errorThreshold))
      addFault(context, { path: ['warnThreshold'], message: atMost(errorThreshold), input: warnThreshold });
    overrides.forEach(({ warnThreshold: ownWarn, errorThreshold: ownThreshold }, index) => {
      const path = (name: string) => ['overrides', index, name];
      const threshold = ownThreshold ?? errorThreshold;
      if (isTooHigh(ownWarn, threshold))
        addFault(context, { path: path('warnThreshold'), message: atMost(threshold), input: ownWarn });
      if (ownWarn === undefined && ownThreshold !== undefined && isTooHigh(warnThreshold, ownThreshold)) {
        const message = `at least the policy's warnThreshold (${warnThreshold})`;
        addFault(context, { path: path('errorThreshold'), message, input: ownThreshold });
      }
    });
  });

const API_URL = 'https://api.qonversion.io/v4';

const API_URL_MESSAGE = 'an https:// address of host, port and path and nothing else (http:// only for loopback hosts)';

const apiUrl = z
  .string(API_URL_MESSAGE)
  .refine(isPlainAddress, API_URL_MESSAGE)
  .transform((value) => value.replace(/\/$/, ''));

/** Resource names become part of commands and IAM policies, so they must match the service's own format. */
const ARN = (service: string, resource: string, what: string) =>
  text(`the ARN of ${what}`, new RegExp(`^arn:aws[a-z-]*:${service}:[a-z0-9-]+:\\d{12}:${resource}$`));

/** Stands for a name or an ARN from a CDK construct, which is known only at deployment. */
export const IN_STACK = 'in-stack';

const SECRET_ARN = ARN('secretsmanager', 'secret:[\\w/+=.@-]{1,519}', 'a Secrets Manager secret');
const KEY_ARN = ARN('kms', 'key/[\\w-]{1,100}', 'a KMS key');

/** Email addresses, phone and card numbers, IBANs and IP addresses of end users in the providers' error messages. */
const personalData = z.enum(['redact', 'show'], '"redact" or "show"');

export type PersonalData = z.output<typeof personalData>;

const project = z
  .strictObject({
    secretName: text('a Secrets Manager name (letters, digits and /_+=.@-)', SECRET_NAME).optional(),
    secretArn: SECRET_ARN.optional(),
    /** The value is a JSON object, and this field of it is the key. Several projects may share such a secret. */
    secretField: text('the name of a field (letters, digits and /_+=.@-)', SECRET_FIELD).optional(),
    /** Only in a stack's own settings: the secret's ARN is in the functions' environment and in an output of the stack. */
    secret: z.literal(IN_STACK, NO_SUCH_SETTING).optional(),
    /** The first name of a project that has been renamed. The ledger still uses it. */
    renamedFrom: text('the earlier name of the project', PROJECT_NAME).optional(),
    /** Needed only for a secretArn whose secret is encrypted with a customer-managed key. */
    secretKeyArn: KEY_ARN.optional(),
    apiUrl: apiUrl.default(API_URL),
    personalData: personalData.default('redact'),
    policy: policy.prefault({}),
  })
  .superRefine((entry, context) => {
    const given = [entry.secretName, entry.secretArn, entry.secret].filter((value) => value !== undefined).length;
    if (given !== 1) {
      const got = given === 0 ? 'neither' : 'both';
      addFault(context, { path: [], message: 'exactly one of secretName and secretArn', got });
    } else if (entry.secretKeyArn !== undefined && entry.secretName !== undefined) {
      addFault(context, { path: ['secretKeyArn'], message: '', says: 'only allowed together with secretArn' });
    }
  });

/** EventBridge Scheduler accepts more, but a guard that runs less than daily or at irregular hours is useless. */
const SCHEDULE_MESSAGE = 'rate(1 minute), rate(N minutes), rate(1 hour), rate(N hours) or rate(1 day), up to 1 day';

const schedule = z.string(SCHEDULE_MESSAGE).refine((value) => {
  const minutes = scheduleMinutes(value);
  return minutes !== null && minutes >= 1 && minutes <= 24 * 60;
}, SCHEDULE_MESSAGE);

/**
 * The capacity of one stack: CloudFormation allows 1 MB per template and 500 resources, IAM 10,240 characters
 * in a role's inline policies.
 */
export const MAX_PROJECTS = 80;

/** Names that people could confuse in a command or on a dashboard give the same result. */
function lookOf(name: string): string {
  return name.replace(/[Il]/g, '1').replace(/[Oo]/g, '0').replaceAll('_', '-').toLowerCase();
}

const projects = z.record(z.string(), project, 'an object of projects by name').superRefine((entries, context) => {
  const names = Object.keys(entries);
  if (names.length > MAX_PROJECTS) {
    const message = `at most ${MAX_PROJECTS} listed projects (the limit of CloudFormation; "fleet" finds any number by a tag, docs/fleet.md)`;
    addFault(context, { path: [], message, got: String(names.length) });
  }
  const alike = new Map<string, string>();
  for (const name of names) {
    if (!PROJECT_NAME.test(name)) {
      const message = 'a project name of letters, digits, "-" and "_" (64 at most)';
      addFault(context, { path: [name], message, input: name });
    }
    const first = alike.get(lookOf(name));
    if (first !== undefined) {
      const message = `a name that differs clearly from projects.${showName(first)}`;
      addFault(context, { path: [name], message, input: name });
    }
    alike.set(lookOf(name), first ?? name);
  }
  const uses = Object.entries(entries).flatMap(([project, { secretArn, secretName, secretField: field }]) => {
    const secret = secretArn ?? secretName;
    return secret === undefined ? [] : [{ project, secret, field }];
  });
  for (const { project, at, message, input } of findSharedSecretFaults(uses)) {
    const ofSecret = entries[project]?.secretArn === undefined ? 'secretName' : 'secretArn';
    addFault(context, { path: [project, at === 'secret' ? ofSecret : at], message, input });
  }
  const ledgers = new Map(names.map((name) => [name, name]));
  for (const name of names) {
    const former = entries[name]?.renamedFrom;
    if (former === undefined) continue;
    const owner = ledgers.get(former);
    if (owner !== undefined) {
      const message =
        owner === name
          ? 'the earlier name of the project, not its current name'
          : `a name that no other project has or had (projects.${showName(owner)} uses that ledger)`;
      addFault(context, { path: [name, 'renamedFrom'], message, input: former });
    }
    ledgers.set(former, name);
  }
});

/** A policy of the fleet. It applies to secrets with its tag, to projects with matching names, or to both. */
const fleetPolicy = z
  .strictObject({
    /** The value of the tag `integration-guard:policy` that selects this policy. */
    tag: text('a tag value of letters, digits, "-" and "_"', PROJECT_NAME).optional(),
    /** A glob over project names: `*` any run of characters, `?` one. */
    match: visibleText('a glob over project names such as "trial-*"').optional(),
    policy,
  })
  .superRefine(({ tag, match }, context) => {
    if (tag === undefined && match === undefined)
      addFault(context, { path: [], message: '"tag", "match" or both', got: 'neither' });
  });

/** Lambda's default limit for an account, which all its functions share. */
const MAX_AT_ONCE = 1_000;

const fleetOfWholePolicies = z
  .strictObject({
    /**
     * Only secrets with this prefix can be projects; the rest of the secret's name is the project's name. Without a prefix, a person
     * who may tag any secret of the account could make the guard read it.
     */
    secretNamePrefix: text(
      'the beginning of the secrets\' names such as "qonversion/" (letters, digits and /_+=.@-)',
      /^[\w/+=.@-]{1,256}$/,
    ),
    /** Needed only when the secrets are encrypted with a customer-managed key. */
    secretKeyArn: KEY_ARN.optional(),
    apiUrl: apiUrl.default(API_URL),
    personalData: personalData.default('redact'),
    /** The maximum number of concurrent passes. */
    concurrency: positive(MAX_AT_ONCE).default(20),
    policy: policy.prefault({}),
    /** The first match applies; a secret's tag takes precedence over names. Without a match, `policy` applies. */
    policies: z.array(fleetPolicy, 'a list').max(100, 'at most 100 policies').default([]),
  })
  .superRefine(({ policies }, context) => {
    policies.forEach(({ tag }, index) => {
      if (tag === undefined || policies.findIndex((other) => other.tag === tag) === index) return;
      addFault(context, { path: ['policies', index, 'tag'], message: 'a unique tag value', input: tag });
    });
  });

/** A fleet's policies inherit from the fleet's own `policy`, so that a fleet in observe mode stays in it. */
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

const ENDPOINT_KINDS = ['email', 'sms', 'sqs', 'lambda', 'https', 'slack', 'teams', 'pagerduty', 'webhook'] as const;

/** The endpoints that people read. */
const FOR_PEOPLE: readonly string[] = ['email', 'sms', 'slack', 'teams'];
const PEOPLE_KINDS = 'email, sms, slack or teams';

const dayTime = text('a time of day such as "22:00"', TIME_OF_DAY);

const quietHours = z
  .strictObject(
    {
      from: dayTime,
      to: dayTime,
      timeZone: z.string(A_TIME_ZONE).refine(isTimeZone, A_TIME_ZONE).default('UTC'),
    },
    'an object with from and to',
  )
  .superRefine(({ from, to }, context) => {
    if (from === to) addFault(context, { path: ['to'], message: 'another time than "from"', input: to });
  });

/** Channels of Amazon Q Developer in chat applications. An administrator authorises the workspace or team there once. */
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

const secretId = text('the name or the ARN of a Secrets Manager secret', SECRET_ID);

const PAGERDUTY_MESSAGE = 'an object with routingKeySecret';

/** A service in PagerDuty, by the routing key of its integration "Events API v2". */
const pagerduty = z.strictObject(
  { routingKeySecret: secretId, region: z.enum(['us', 'eu'], '"us" or "eu"').default('us') },
  PAGERDUTY_MESSAGE,
);

const WEBHOOK_MESSAGE = 'an object with url and headerSecret';

/** An HTTPS endpoint that opens and closes incidents, with its credential in a header. */
const webhook = z.strictObject(
  {
    url: text('an https:// address without "#" and "*"', WEBHOOK_URL),
    header: text('the name of an HTTP header such as "Authorization"', HEADER_NAME).default('Authorization'),
    headerSecret: secretId,
    contentType: z.enum(['cloudevents', 'plain'], '"cloudevents" or "plain"').default('cloudevents'),
  },
  WEBHOOK_MESSAGE,
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
    pagerduty: pagerduty.optional(),
    webhook: webhook.optional(),
    minSeverity: z.enum(['info', 'warning', 'critical'], '"info", "warning" or "critical"').default('info'),
    /** Default: every project. */
    projects: z.array(z.string('a project name'), 'a list of project names').min(1, 'at least one project').optional(),
    /** Whether this endpoint also gets the guard's CloudWatch alarms. Default: true for people (email, sms, slack, teams). */
    alarms: z.boolean('true or false').optional(),
    /** The only messages that this endpoint gets. Default: every alert. */
    only: z.enum(['alarms', 'daily-summary'], '"alarms" or "daily-summary"').optional(),
    /** The hours of the day in which only critical alerts are sent to this endpoint. The others come when these hours end. */
    quietHours: quietHours.optional(),
  })
  .superRefine((entry, context) => {
    const given = ENDPOINT_KINDS.filter((kind) => entry[kind] !== undefined);
    const message = `exactly one of ${ENDPOINT_KINDS.join(', ')}`;
    if (given.length !== 1)
      addFault(context, { path: [], message, got: given.length === 0 ? 'none' : given.join(' and ') });
    const refuse = (setting: 'only' | 'quietHours' | 'projects' | 'alarms', expected: string, got?: string) =>
      addFault(context, {
        path: [setting],
        message: expected,
        input: entry[setting],
        ...(got === undefined ? {} : { got }),
      });
    const forPeople = given.every((kind) => FOR_PEOPLE.includes(kind));
    if (entry.only === 'daily-summary' && !forPeople)
      refuse('only', `"alarms" (the daily summary is for ${PEOPLE_KINDS})`);
    if (entry.quietHours !== undefined && !forPeople)
      refuse('quietHours', `quiet hours only for ${PEOPLE_KINDS}`, given.join(' and '));
    if (entry.quietHours !== undefined && entry.only !== undefined)
      refuse('quietHours', 'no quiet hours together with "only"', `"only": "${entry.only}"`);
    if (entry.alarms !== undefined && isIncidentTool(entry)) {
      const says = `only allowed together with an endpoint that takes alarms, and ${given.join(' and ')} takes incidents only (docs/oncall.md)`;
      addFault(context, { path: ['alarms'], message: '', says });
    }
    if (entry.only !== undefined && isIncidentTool(entry))
      refuse('only', 'no "only" for pagerduty and webhook (docs/oncall.md says how they get alarms)');
    if (entry.minSeverity === 'critical' && entry.only === 'daily-summary')
      refuse('only', 'no "daily-summary" together with "minSeverity": "critical" (its alerts are warnings)');
    if (entry.minSeverity === 'critical' && entry.quietHours !== undefined)
      refuse(
        'quietHours',
        'no quiet hours together with "minSeverity": "critical" (they never delay critical alerts)',
        'both',
      );
    if (entry.only !== 'alarms') return;
    if (entry.projects !== undefined) refuse('projects', 'no projects together with "only": "alarms"');
    if (entry.alarms === false) refuse('alarms', 'true together with "only": "alarms"');
  });

/** The kind and identity of an endpoint; null when only the construct knows it. */
function endpointOf(entry: z.output<typeof subscription>) {
  const kind = ENDPOINT_KINDS.find((each) => entry[each] !== undefined);
  if (kind === undefined || entry[kind] === IN_STACK) return null;
  // zod has put a channel's fields into the order of the schema.
  const endpoint = JSON.stringify(kind === 'webhook' ? entry.webhook?.url : entry[kind]);
  // Email addresses are compared without case.
  return { kind, key: `${kind} ${kind === 'email' ? endpoint.toLowerCase() : endpoint}` };
}

const MAX_CHATS = 8;
const MAX_INCIDENT_TOOLS = 8;

/** A pass sends a digest of its own for each. */
const MAX_QUIET_HOURS = 8;

/** Completes "encryptionKeyArn: …". */
export const ONLY_WITH_CUSTOMER_KEY = 'only allowed together with "encryption": "customer-key"';

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
          // The function's environment, which names their topics and queues, has no room for more.
          .superRefine((entries, context) => {
            const { length } = entries.filter(isChat);
            if (length > MAX_CHATS)
              addFault(context, { path: [], message: `at most ${MAX_CHATS} chat channels`, got: String(length) });
            const hours = new Set(entries.flatMap(({ quietHours }) => (quietHours ? JSON.stringify(quietHours) : [])));
            if (hours.size > MAX_QUIET_HOURS) {
              const message = `at most ${MAX_QUIET_HOURS} different quiet hours`;
              addFault(context, { path: [], message, got: String(hours.size) });
            }
            const { length: tools } = entries.filter(isIncidentTool);
            if (tools > MAX_INCIDENT_TOOLS) {
              const message = `at most ${MAX_INCIDENT_TOOLS} subscriptions of pagerduty and webhook`;
              addFault(context, { path: [], message, got: String(tools) });
            }
          })
          .default([]),
        /** The page that alerts and alarms link to, with "#" and a section. Default: the control panel, if there is one. */
        runbookUrl: text('an https:// address without "#"', RUNBOOK_URL).optional(),
      })
      .prefault({}),
    /** A CloudWatch dashboard with the control panel of each project. */
    dashboard: z.boolean('true or false').default(false),
    /** The table that an earlier, deleted stack retained. Default: the stack creates one. */
    ledgerTableName: text('the name of a DynamoDB table', /^[\w.-]{3,255}$/).optional(),
    /** `aws-owned`: the stack has no KMS key, and each service encrypts with a key of AWS. */
    encryption: z.enum(['customer-key', 'aws-owned'], '"customer-key" or "aws-owned"').default('customer-key'),
    /** Encrypts topics, logs and secrets. Default: the stack creates a key. */
    encryptionKeyArn: KEY_ARN.optional(),
  })
  .superRefine((whole, context) => {
    if (whole.encryption === 'aws-owned' && whole.encryptionKeyArn !== undefined)
      addFault(context, { path: ['encryptionKeyArn'], message: '', says: ONLY_WITH_CUSTOMER_KEY });
    if (whole.fleet === undefined && Object.keys(whole.projects).length === 0) {
      addFault(context, { path: ['projects'], message: 'at least one project (or "fleet")', got: 'none' });
    }
    whole.alerts.subscriptions.forEach((entry, index, all) => {
      const endpoint = endpointOf(entry);
      const owner = endpoint === null ? index : all.findIndex((other) => endpointOf(other)?.key === endpoint.key);
      if (endpoint !== null && owner < index) {
        const message = `an endpoint of its own (AWS allows one subscription for each, and alerts.subscriptions.${owner} has this one)`;
        const path = ['alerts', 'subscriptions', index, endpoint.kind];
        addFault(context, { path, message, input: entry[endpoint.kind] });
      }
      entry.projects?.forEach((name, position) => {
        // The settings do not list a fleet's projects.
        if (Object.hasOwn(whole.projects, name) || whole.fleet !== undefined) return;
        const path = ['alerts', 'subscriptions', index, 'projects', position];
        addFault(context, { path, message: describeChoice(Object.keys(whole.projects), name), input: name });
      });
    });
  });

/** All projects if they are few, else the nearest name. */
function describeChoice(projects: readonly string[], given: string): string {
  const meant = nearest(given, projects);
  const list = projects.map(showName).join(', ');
  if (list.length <= MAX_LIST_CHARACTERS) return `one of the projects (${list})`;
  return meant === null ? `one of the ${projects.length} projects` : `a project such as ${showName(meant)}`;
}

const MAX_LIST_CHARACTERS = 60;

/** For the documentation: names, defaults and messages of all settings. To check a document, use `parseSettings`. */
export { settings as settingsSchema };

export type Settings = z.output<typeof settings>;
/** A settings document as a person writes it. zod cannot infer the input of `preprocess`. */
export type SettingsInput = Omit<z.input<typeof settings>, 'fleet'> & {
  readonly fleet?: z.input<typeof fleetOfWholePolicies> | undefined;
};
export type ProjectSettings = z.output<typeof project>;
export type FleetSettings = z.output<typeof fleet>;
export type Policy = z.output<typeof policy>;
export type Override = Policy['overrides'][number];
export type Match = Override['match'];
/** The policy of a project without policy settings. */
export const DEFAULT_POLICY: Policy = policy.parse({});

export type Recovery = z.output<typeof recovery>;
export type LowTraffic = z.output<typeof lowTraffic>;
export type FlappingPolicy = z.output<typeof flapping>;
export type Subscription = z.output<typeof subscription>;
export type Encryption = Settings['encryption'];

/**
 * Checks a settings document and fills in its defaults.
 * @param source The origin of the document, for the message ("cdk.json").
 * @throws SettingsError with one line per fault, each beginning with the path of the fault.
 */
export function parseSettings(document: unknown, source = 'settings'): Settings {
  return unlessTooDeep(source, () => parseDocument(document, source));
}

/** Far deeper than any setting. */
export const MAX_LEVELS = 100;

export const TOO_DEEP = `expected at most ${MAX_LEVELS} levels of { and [, got something that is nested too deep`;

/** @throws SettingsError when the document is nested so deep that reading it overflows the stack */
export function unlessTooDeep<Result>(source: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SettingsError([TOO_DEEP], source);
  }
}

const PLACES = placesOf(settings);

function parseDocument(document: unknown, source: string): Settings {
  // Secrets are reported alone, because another fault's message could show the text around them.
  const secrets = findMisplacedSecrets(document);
  if (secrets.length > 0) throw new SettingsError(secrets, source);
  const unusable = findPrototypeKeys(document, []);
  if (unusable.length > 0) throw new SettingsError(unusable, source);
  const result = settings.safeParse(document, { reportInput: true });
  if (result.success) return result.data;
  throw new SettingsError(describeIssues(result.error.issues, PLACES), source);
}

/** One sentence for each name or string in a document that looks like a secret. The sentences do not show it. */
export function findMisplacedSecrets(value: unknown, path: readonly (string | number)[] = []): readonly string[] {
  if (typeof value === 'string') {
    const found = secretIn(value) ?? secretInPlace(value, path.at(-1), path.at(-2));
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

/** Secrets that only their place in the document makes recognisable. */
function secretInPlace(text: string, name: string | number | undefined, parent: string | number | undefined) {
  if (name === 'https') return secretInEndpoint(text);
  if (name === 'url' && parent === 'webhook') return secretInWebhook(text);
  return name === 'routingKeySecret' || name === 'headerSecret' ? secretInSecretName(text) : null;
}

const REMEDIES: Readonly<Record<string, string>> = {
  [WEBHOOK]: 'remove it and use "slack", "teams" or the topic AlertsTopicArn',
  [CREDENTIAL]: 'store it in Secrets Manager and give the name of that secret',
};

function describeMisplaced(found: string, path: readonly PropertyKey[]): string {
  const remedy = REMEDIES[found] ?? 'remove it, and replace it if others have seen the file';
  return `${showPath(path)}: expected no secret, but this looks like ${found}; ${remedy}`;
}

/** zod silently drops entries with this name, so a project would not be guarded. */
function findPrototypeKeys(value: unknown, path: readonly (string | number)[]): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((element, index) => findPrototypeKeys(element, [...path, index]));
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const here = [...path, key];
    return key === '__proto__' ? [`${showPath(here)}: expected another name`] : findPrototypeKeys(inner, here);
  });
}
