import * as z from 'zod';

/**
 * The schema of the settings as version 0.1 had it, for tests of what becomes of such settings. It stands still: nothing of it is
 * shared with today's, so a change there cannot change what version 0.1 accepted.
 */

/** Minutes between two passes, or null when the expression is not a rate. */
function scheduleMinutes(expression: string): number | null {
  const parts = /^rate\(([1-9]\d{0,3}) (minute|hour|day)(s?)\)$/.exec(expression);
  if (parts === null) return null;
  const [, count = '', unit, many] = parts;
  // AWS refuses rate(1 minutes) and rate(5 minute).
  if ((Number(count) === 1) !== (many === '')) return null;
  return Number(count) * (unit === 'minute' ? 1 : unit === 'hour' ? 60 : 24 * 60);
}

/** Of a secret in Secrets Manager. */
const SECRET_NAME = /^[\w/+=.@-]{1,512}$/;

const PROJECT_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** The page as it lies beside the code, for those who have it. */
const RUNBOOK = 'docs/runbook.md';

/** Whether it is a channel of Slack or Microsoft Teams. */
function isChat(entry: { readonly slack?: unknown; readonly teams?: unknown }): boolean {
  return entry.slack !== undefined || entry.teams !== undefined;
}

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
    /** Minutes a circuit stays open before the first trial. */
    cooldownMinutes: positive(MINUTES_A_MONTH).default(60),
    /** The cooldown is multiplied by this after each failed trial … */
    backoff: z
      .number('a number from 1 to 10')
      .min(1, 'a number from 1 to 10')
      .max(10, 'a number from 1 to 10')
      .default(2),
    /** … up to this. */
    maxCooldownMinutes: positive(MINUTES_A_MONTH).default(1_440),
    /** Trials before the guard gives up. */
    maxAttempts: positive(100).default(5),
    /** Fresh errors that end a trial. */
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

const unstable = z.enum(['tell', 'pause', 'off'], '"tell", "pause" or "off"');

const limits = {
  errorThreshold: positive(),
  failingForMinutes: notNegative(MINUTES_A_MONTH),
  warnThreshold: notNegative(),
  remindEveryHours: notNegative(24 * 31),
};

const match = z
  .strictObject({
    id: text('an integration id', /^[\w.-]{1,256}$/).optional(),
    integration: text('a provider such as "Amplitude"', /\S/).optional(),
    target_platform: z.enum(['iOS', 'Android', 'Stripe'], '"iOS", "Android" or "Stripe"').optional(),
    /** A glob: `*` any run of characters, `?` one. */
    title: text('a title or a glob such as "*staging*"', /\S/).optional(),
  })
  .refine((criteria) => Object.keys(criteria).length > 0, 'at least one of id, integration, target_platform, title');

const override = z
  .strictObject({
    match,
    mode: z.enum(['enforce', 'observe', 'ignore'], '"enforce", "observe" or "ignore"').optional(),
    errorThreshold: limits.errorThreshold.optional(),
    failingForMinutes: limits.failingForMinutes.optional(),
    warnThreshold: limits.warnThreshold.optional(),
    remindEveryHours: limits.remindEveryHours.optional(),
    unstable: unstable.optional(),
    recovery: recovery.optional(),
  })
  .refine((entry) => Object.keys(entry).length > 1, 'something to change beside "match"');

const policy = z
  .strictObject({
    mode: mode.default('enforce'),
    errorThreshold: limits.errorThreshold.default(50),
    failingForMinutes: limits.failingForMinutes.default(15),
    /** Left out: half of the errorThreshold that applies. 0: no early warning. */
    warnThreshold: limits.warnThreshold.optional(),
    blastRadius: z
      .strictObject({
        percent: wholeNumber(0, 100, 'a whole number from 0 to 100').default(50),
        floor: notNegative().default(3),
      })
      .prefault({}),
    recovery: recovery.default({ mode: 'manual' }),
    remindEveryHours: limits.remindEveryHours.default(24),
    /** What to do about an integration that fails and delivers by turns, which no count shows. */
    unstable: unstable.default('tell'),
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

/** Loopback is the one place where the key may travel without TLS: nothing leaves the machine. */
function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

const API_URL = 'https://api.qonversion.io/v4';

const API_URL_MESSAGE = 'an https:// address without credentials or query (http:// only for loopback hosts)';

const apiUrl = z
  .string(API_URL_MESSAGE)
  .refine((value) => {
    const url = URL.canParse(value) ? new URL(value) : null;
    if (url === null || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
      return false;
    return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
  }, API_URL_MESSAGE)
  .transform((value) => value.replace(/\/+$/, ''));

const ARN = (service: string, what: string) =>
  text(`the ARN of ${what}`, new RegExp(`^arn:aws[a-z-]*:${service}:[a-z0-9-]+:\\d{12}:\\S+$`));

const project = z
  .strictObject({
    secretName: text('a Secrets Manager name (letters, digits and /_+=.@-)', SECRET_NAME).optional(),
    secretArn: ARN('secretsmanager', 'a Secrets Manager secret').optional(),
    /** Needed only for a secretArn whose secret is encrypted with a customer-managed key. */
    secretKeyArn: ARN('kms', 'a KMS key').optional(),
    apiUrl: apiUrl.default(API_URL),
    policy: policy.prefault({}),
  })
  .superRefine((entry, context) => {
    const given = [entry.secretName, entry.secretArn].filter((value) => value !== undefined).length;
    if (given !== 1) {
      context.addIssue({ code: 'custom', path: [], message: 'exactly one of secretName and secretArn', input: given });
    }
    if (entry.secretKeyArn !== undefined && entry.secretArn === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['secretKeyArn'],
        message: 'nothing unless secretArn is given',
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
const MOST_PROJECTS = 80;

const projects = z.record(z.string(), project, 'an object of projects by name').superRefine((entries, context) => {
  const names = Object.keys(entries);
  if (names.length > MOST_PROJECTS) {
    const message = `at most ${MOST_PROJECTS} projects listed in a stack (CloudFormation takes no more; "fleet" finds any number by a tag, docs/scale.md)`;
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
      const message = `a secret of its own (one project is one Secret Key, and projects.${owner} has this one)`;
      context.addIssue({
        code: 'custom',
        path: [name, entries[name]?.secretArn === undefined ? 'secretName' : 'secretArn'],
        message,
        input: secret,
      });
    }
    owners.set(secret, name);
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
const MOST_AT_ONCE = 1_000;

const fleetOfWholePolicies = z
  .strictObject({
    /** Of the secrets that may be projects; a project's name is what follows. */
    secretNamePrefix: text(
      'the beginning of Secrets Manager names (letters, digits and /_+=.@-)',
      /^[\w/+=.@-]{0,256}$/,
    ).default(''),
    /** Needed only when the secrets are encrypted with a customer-managed key. */
    secretKeyArn: ARN('kms', 'a KMS key').optional(),
    apiUrl: apiUrl.default(API_URL),
    /** Passes at once. */
    concurrency: positive(MOST_AT_ONCE).default(20),
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

const subscription = z
  .strictObject({
    email: z.email('a mail address').optional(),
    sms: text('a phone number in E.164 form such as "+15551230000"', /^\+[1-9]\d{6,14}$/).optional(),
    sqs: ARN('sqs', 'an SQS queue').optional(),
    lambda: ARN('lambda', 'a Lambda function').optional(),
    https: text('an https:// address', /^https:\/\/[^\s/]+/).optional(),
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

const MOST_CHATS = 8;

export const settingsV1 = z
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
          .refine((entries) => entries.filter(isChat).length <= MOST_CHATS, `at most ${MOST_CHATS} chat channels`)
          .default([]),
        /** Where alerts and alarms send their readers; the section follows after a "#". */
        runbookUrl: text(
          'an https:// address without "#"',
          /^(?:docs\/runbook\.md|https:\/\/[^\s/#]+[^\s#]*)$/,
        ).default(RUNBOOK),
      })
      .prefault({}),
  })
  .superRefine((whole, context) => {
    if (whole.fleet === undefined && Object.keys(whole.projects).length === 0) {
      const message = 'at least one project (or "fleet")';
      context.addIssue({ code: 'custom', path: ['projects'], message, input: 'none' });
    }
    whole.alerts.subscriptions.forEach((entry, index) => {
      entry.projects?.forEach((name, position) => {
        // Which projects a fleet has is not known here.
        if (Object.hasOwn(whole.projects, name) || whole.fleet !== undefined) return;
        const message = `one of the projects (${Object.keys(whole.projects).join(', ')})`;
        context.addIssue({
          code: 'custom',
          path: ['alerts', 'subscriptions', index, 'projects', position],
          message,
          input: name,
        });
      });
    });
  });
