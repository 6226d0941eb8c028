import type { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { IStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { DeployedGuard } from '../functions/deployed/deployed-guard.ts';

/**
 * The properties of the construct. The plain values are those of a settings file (`functions/guard/settings/schema.ts`
 * checks both, and a test compares the types). CDK objects are accepted besides. `docs/api.md` is generated from this
 * file.
 */

/** Properties of `IntegrationGuard`. */
export interface IntegrationGuardProps {
  /**
   * Time between two passes over a project, from 1 minute to 1 day: a Duration, or `rate(5 minutes)`.
   * @default Duration.minutes(5)
   */
  readonly schedule?: Duration | string;
  /**
   * The projects to guard, by name; at most 80. With more, use `fleet`.
   * @default - none; then `fleet` is required
   */
  readonly projects?: Readonly<Record<string, ProjectProps>>;
  /**
   * Secrets that hold the Secret Keys of listed projects, by project name. Such a project has neither `secretName` nor `secretArn`.
   * At most 20 of them may have an ARN that is known only at deployment.
   * @default - each project names its secret
   */
  readonly secrets?: Readonly<Record<string, ISecret>>;
  /**
   * Makes every secret with the tag `integration-guard:project` a project.
   * @default - only listed projects are guarded
   */
  readonly fleet?: FleetProps;
  /**
   * The receivers of alerts.
   * @default - topics without subscriptions
   */
  readonly alerts?: AlertsProps;
  /**
   * Whether there is a CloudWatch dashboard with the control panel of each project ($3 a month for every 25 projects; an account's
   * first three dashboards are free). Alerts and alarms then link to it.
   * @default false
   */
  readonly dashboard?: boolean;
  /**
   * The owner of the keys that encrypt topics, logs and the secrets that the construct creates. A customer key costs $1 a month, and
   * you can audit and revoke its use; with `aws-owned` the stack has no key, and you can do neither.
   * @default 'customer-key'
   */
  readonly encryption?: 'customer-key' | 'aws-owned';
  /**
   * Encrypts topics, logs and the secrets that the construct creates. The construct lets CloudWatch alarms and
   * CloudWatch Logs use it. The policy of an imported key must already allow this (`cloudwatch.amazonaws.com` and
   * `logs.REGION.amazonaws.com`).
   * @default - a new key, retained on deletion
   */
  readonly encryptionKey?: IKey;
  /**
   * ARN of a KMS key for topics, logs and the secrets that the construct creates: `encryptionKey` for settings files.
   * @default - a new key
   */
  readonly encryptionKeyArn?: string;
  /**
   * A table for the ledger, such as the one that an earlier deployment left: partition key `project` and sort key `item`, both
   * strings, TTL attribute `expires_at`.
   * @default - a new table, retained on deletion
   */
  readonly ledgerTable?: ITable;
  /**
   * Name of the table that an earlier deployment left: `ledgerTable` for settings files.
   * @default - a new table
   */
  readonly ledgerTableName?: string;
  /**
   * The dead-letter queue of schedules and subscriptions: a queue of the same stack, or an imported one. The policy of
   * an imported queue must let `sns.amazonaws.com` send.
   * @default - a new queue that keeps messages for 14 days
   */
  readonly deadLetterQueue?: IQueue;
  /**
   * CloudFormation's action on the ledger, the key and the secrets of the construct when they leave the stack. By
   * default they stay, unless their creation failed.
   * @default RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
   */
  readonly removalPolicy?: RemovalPolicy;
  /**
   * The deployed state, as `readDeployedGuard` returns it. With it, the construct adopts existing secrets, and a change
   * that would lose something is an error at synthesis.
   * @default - the deployed state is not checked
   */
  readonly deployed?: DeployedGuard | undefined;
}

/** One listed project: one Secret Key of Qonversion. */
export interface ProjectProps {
  /**
   * Name of the secret that the construct creates, empty, for the project's Secret Key.
   * @default - `secretArn`, or the project's entry in `secrets`
   */
  readonly secretName?: string;
  /**
   * ARN of a secret that exists.
   * @default - `secretName`, or the project's entry in `secrets`
   */
  readonly secretArn?: string;
  /**
   * The field of the secret's JSON object that holds the project's Secret Key. With it, several projects may have the same
   * secret, each with another field. The construct creates such a secret once.
   * @default - the secret holds the Secret Key of this project only
   */
  readonly secretField?: string;
  /**
   * ARN of the customer-managed key that encrypts the secret of `secretArn`.
   * @default - the secret is encrypted with the AWS-managed key
   */
  readonly secretKeyArn?: string;
  /**
   * The first name of a project that was renamed. The ledger continues under it, so keep it here.
   * @default - the project has its first name
   */
  readonly renamedFrom?: string;
  /**
   * Address of Qonversion's API. The guard sends the key nowhere else.
   * @default 'https://api.qonversion.io/v4'
   */
  readonly apiUrl?: string;
  /**
   * Whether the guard removes email addresses, phone and card numbers, IBANs and IP addresses from error messages of providers.
   * @default 'redact'
   */
  readonly personalData?: 'redact' | 'show';
  /**
   * When to pause, alert and probe.
   * @default - the defaults of each setting
   */
  readonly policy?: PolicyProps;
}

/** Projects that are found by a tag of their secrets. */
export interface FleetProps {
  /** How the names of the secrets begin; what follows is the project's name. */
  readonly secretNamePrefix: string;
  /**
   * ARN of the customer-managed key that encrypts the secrets.
   * @default - they are encrypted with the AWS-managed key
   */
  readonly secretKeyArn?: string;
  /**
   * Address of Qonversion's API. The guard sends the key nowhere else.
   * @default 'https://api.qonversion.io/v4'
   */
  readonly apiUrl?: string;
  /**
   * Whether the guard removes email addresses, phone and card numbers, IBANs and IP addresses from error messages of providers.
   * @default 'redact'
   */
  readonly personalData?: 'redact' | 'show';
  /**
   * Passes that run at once, up to 1,000.
   * @default 20
   */
  readonly concurrency?: number;
  /**
   * The policy of projects to which none of `policies` applies.
   * @default - the defaults of each setting
   */
  readonly policy?: PolicyProps;
  /**
   * Policies for some projects; the first that fits applies. Each inherits from `policy` what it leaves out.
   * @default []
   */
  readonly policies?: readonly FleetPolicyProps[];
}

/** A policy for some projects of the fleet. */
export interface FleetPolicyProps {
  /**
   * For projects whose secret has this value in the tag `integration-guard:policy`.
   * @default - `match`
   */
  readonly tag?: string;
  /**
   * For projects whose name matches this glob (`*` any characters, `?` one).
   * @default - `tag`
   */
  readonly match?: string;
  /** The policy for these projects. */
  readonly policy: PolicyProps;
}

/** Receivers of alerts, and topics. */
export interface AlertsProps {
  /**
   * The receivers: people, machines and chat channels.
   * @default []
   */
  readonly subscriptions?: readonly SubscriptionProps[];
  /**
   * Address of your runbook; alerts link to `ADDRESS#SECTION`, with the sections of `docs/runbook.md`.
   * @default - alerts and alarms link to the control panel, if there is one
   */
  readonly runbookUrl?: string;
  /**
   * The topic for alerts. Subscriptions with filters are added to it. The key of an imported topic must let the functions use it.
   * @default - a new encrypted topic
   */
  readonly topic?: ITopic;
  /**
   * The topic for CloudWatch alarms about the guard itself. An imported topic must let `cloudwatch.amazonaws.com` publish.
   * @default - a new encrypted topic
   */
  readonly alarmsTopic?: ITopic;
}

/**
 * One receiver of alerts. Give exactly one of `email`, `sms`, `sqs`, `lambda`, `https`, `slack`, `teams`, `pagerduty` and
 * `webhook`.
 */
export interface SubscriptionProps {
  /**
   * A mail address. People get one digest per pass, or per run of a fleet.
   * @default - none
   */
  readonly email?: string;
  /**
   * A phone number in E.164 form.
   * @default - none
   */
  readonly sms?: string;
  /**
   * A queue, or its ARN. Machines get one CloudEvents message per event. A queue that is given by ARN needs a policy that lets the
   * topic send.
   * @default - none
   */
  readonly sqs?: IQueue | string;
  /**
   * A function, or its ARN.
   * @default - none
   */
  readonly lambda?: IFunction | string;
  /**
   * An https:// address.
   * @default - none
   */
  readonly https?: string;
  /**
   * A Slack channel, through Amazon Q Developer in chat applications.
   * @default - none
   */
  readonly slack?: SlackChannelProps;
  /**
   * A Microsoft Teams channel, through Amazon Q Developer in chat applications.
   * @default - none
   */
  readonly teams?: TeamsChannelProps;
  /**
   * A service in PagerDuty. The guard opens one incident per problem and closes it.
   * @default - none
   */
  readonly pagerduty?: PagerDutyProps;
  /**
   * An HTTPS endpoint of an incident tool. It gets each event that opens or closes an incident as a CloudEvent.
   * @default - none
   */
  readonly webhook?: WebhookProps;
  /**
   * The least severity that is sent. For `pagerduty` and `webhook`: of the events that open incidents. Those that close them are always sent.
   * @default 'info'
   */
  readonly minSeverity?: 'info' | 'warning' | 'critical';
  /**
   * Names of the projects whose alerts are sent.
   * @default - all projects
   */
  readonly projects?: readonly string[];
  /**
   * Whether CloudWatch alarms about the guard itself are sent too.
   * @default - true for people (`email`, `sms`, `slack`, `teams`), false for machines and with `only: 'daily-summary'`
   */
  readonly alarms?: boolean;
  /**
   * The only messages that are sent: CloudWatch alarms, or (to people) the daily summary of everything that is stopped.
   * @default - every alert
   */
  readonly only?: 'alarms' | 'daily-summary';
  /**
   * Hours of the day in which people get critical alerts and alarms only. The other alerts come together when these hours end.
   * @default - alerts are sent at any time
   */
  readonly quietHours?: QuietHoursProps;
}

/** Hours of the day. */
export interface QuietHoursProps {
  /** The local time at which they begin, such as `22:00`. */
  readonly from: string;
  /** The local time at which they end. If it is earlier than `from`, they last past midnight. */
  readonly to: string;
  /**
   * A name of the IANA time zone database, such as `Europe/Berlin`.
   * @default 'UTC'
   */
  readonly timeZone?: string;
}

/** A Slack channel. Authorise the workspace once in the console of Amazon Q Developer in chat applications. */
export interface SlackChannelProps {
  /** ID of the workspace, such as `T0ABCDEF1`. */
  readonly workspaceId: string;
  /** ID of the channel, such as `C0ABCDEF1`. */
  readonly channelId: string;
}

/** A Microsoft Teams channel. Authorise the team once in the console of Amazon Q Developer in chat applications. */
export interface TeamsChannelProps {
  /** ID of the tenant, a UUID. */
  readonly tenantId: string;
  /** ID of the team, a UUID. */
  readonly teamId: string;
  /** ID of the channel, as in its link (`19%3a…%40thread.tacv2`). */
  readonly channelId: string;
}

/** A service in PagerDuty, through its Events API v2. */
export interface PagerDutyProps {
  /** Name or ARN of an existing secret. Its value is the integration key of the service's integration `Events API v2`. */
  readonly routingKeySecret: string;
  /**
   * The service region of the PagerDuty account.
   * @default 'us'
   */
  readonly region?: 'us' | 'eu';
}

/** An HTTPS endpoint of an incident tool, with its credential in a header. */
export interface WebhookProps {
  /** The https:// address. It must answer within 5 seconds. */
  readonly url: string;
  /**
   * Name of the header with the credential.
   * @default 'Authorization'
   */
  readonly header?: string;
  /** Name or ARN of an existing secret. Its value is the whole value of the header, such as `Bearer …`. */
  readonly headerSecret: string;
  /**
   * The media type of the requests: `cloudevents` for `application/cloudevents+json`, `plain` for `application/json`, which some tools require.
   * @default 'cloudevents'
   */
  readonly contentType?: 'cloudevents' | 'plain';
}

/** When the guard pauses an integration, alerts people, and probes. `docs/policy.md` explains each rule with its figures. */
export interface PolicyProps {
  /**
   * `enforce` pauses; `observe` decides and reports, and changes nothing.
   * @default 'enforce'
   */
  readonly mode?: 'enforce' | 'observe';
  /**
   * The guard pauses an integration at this many fresh errors, if it has failed for `failingForMinutes`.
   * @default 50
   */
  readonly errorThreshold?: number;
  /**
   * Minutes over which the guard must have observed failures without a delivery.
   * @default 60
   */
  readonly failingForMinutes?: number;
  /**
   * For integrations that fail for days without reaching `errorThreshold`.
   * @default { errors: 3, warnAfterHours: 12, pauseAfterHours: 120 }
   */
  readonly lowTraffic?: 'off' | LowTrafficProps;
  /**
   * The guard sends an early warning at this many fresh errors and half of `failingForMinutes`; 0 for none.
   * @default - half of `errorThreshold`
   */
  readonly warnThreshold?: number;
  /**
   * The most that one pass may pause: the larger of `floor` and `percent` of the active integrations.
   * @default { percent: 50, floor: 3 }
   */
  readonly blastRadius?: BlastRadiusProps;
  /**
   * Whether the guard probes integrations that it paused, or leaves them to you.
   * @default { mode: 'probe', cooldownMinutes: 15, backoff: 2, maxCooldownMinutes: 1440, maxAttempts: 12, probeErrors: 3 }
   */
  readonly recovery?: RecoveryProps;
  /**
   * When many integrations of one provider fail at once, the guard sends one alert and pauses none of them.
   * @default { percent: 60, minimum: 3, holdHours: 48, except: ['Webhooks'] }
   */
  readonly providerOutage?: 'off' | ProviderOutageProps;
  /**
   * Time of day, in UTC, of the daily summary of everything that is stopped; or `never`.
   * @default '08:00'
   */
  readonly remindAt?: string;
  /**
   * The guard's response to an integration whose deliveries alternately fail and succeed: alert, pause or nothing.
   * @default 'tell'
   */
  readonly flapping?: 'tell' | 'pause' | 'off';
  /**
   * Other limits for some integrations; the first match applies.
   * @default []
   */
  readonly overrides?: readonly OverrideProps[];
}

/** Limits for integrations that fail for days without reaching `errorThreshold`. */
export interface LowTrafficProps {
  /**
   * Fresh errors from which the limits apply.
   * @default 3
   */
  readonly errors?: number;
  /**
   * Hours of failures until the early warning.
   * @default 12
   */
  readonly warnAfterHours?: number;
  /**
   * Hours of failures until the pause; at least `warnAfterHours`.
   * @default 120
   */
  readonly pauseAfterHours?: number;
}

/** The most that one pass may pause: the larger of the two. */
export interface BlastRadiusProps {
  /**
   * Percent of the active integrations, from 0 to 100.
   * @default 50
   */
  readonly percent?: number;
  /**
   * At least this many integrations.
   * @default 3
   */
  readonly floor?: number;
}

/** When the guard treats integrations of one provider that fail together as an outage of that provider. */
export interface ProviderOutageProps {
  /**
   * Percent of the provider's integrations that fail, from 30 to 100.
   * @default 60
   */
  readonly percent?: number;
  /**
   * Integrations that fail, at least 2.
   * @default 3
   */
  readonly minimum?: number;
  /**
   * Hours for which an outage holds back pauses and warnings.
   * @default 48
   */
  readonly holdHours?: number;
  /**
   * Providers whose integrations share no endpoint.
   * @default ['Webhooks']
   */
  readonly except?: readonly string[];
}

/** How the guard resumes an integration that it paused. */
export type RecoveryProps = ManualRecoveryProps | ProbeRecoveryProps;

/** Only an operator resumes an integration that the guard paused. */
export interface ManualRecoveryProps {
  /** Selects manual recovery. */
  readonly mode: 'manual';
}

/** The guard resumes an integration that it paused as a probe, and leaves it on if deliveries succeed. */
export interface ProbeRecoveryProps {
  /** Selects recovery by probes. */
  readonly mode: 'probe';
  /**
   * Minutes from the pause to the first probe.
   * @default 15
   */
  readonly cooldownMinutes?: number;
  /**
   * The guard multiplies the cooldown by this after each failed probe. From 1 to 10.
   * @default 2
   */
  readonly backoff?: number;
  /**
   * The longest cooldown, in minutes.
   * @default 1440
   */
  readonly maxCooldownMinutes?: number;
  /**
   * Probes that fail before the guard gives up.
   * @default 12
   */
  readonly maxAttempts?: number;
  /**
   * Failures in a row that end a probe.
   * @default 3
   */
  readonly probeErrors?: number;
}

/** Selects the integrations of an override: all given criteria must match, and at least one is required. */
export interface MatchProps {
  /**
   * The integration's ID.
   * @default - any
   */
  readonly id?: string;
  /**
   * The provider, such as `Amplitude`.
   * @default - any
   */
  readonly integration?: string;
  /**
   * The platform whose events are forwarded.
   * @default - any
   */
  readonly target_platform?: 'iOS' | 'Android' | 'Stripe';
  /**
   * A title, or a glob (`*` any characters, `?` one).
   * @default - any
   */
  readonly title?: string;
}

/** Other limits for some integrations. */
export interface OverrideProps {
  /** Which integrations. */
  readonly match: MatchProps;
  /**
   * `ignore` leaves them alone.
   * @default - as in the policy
   */
  readonly mode?: 'enforce' | 'observe' | 'ignore';
  /**
   * As in the policy, for these integrations.
   * @default - as in the policy
   */
  readonly errorThreshold?: number;
  /**
   * As in the policy, for these integrations.
   * @default - as in the policy
   */
  readonly failingForMinutes?: number;
  /**
   * As in the policy, for these integrations.
   * @default - as in the policy
   */
  readonly warnThreshold?: number;
  /**
   * As in the policy, for these integrations.
   * @default - as in the policy
   */
  readonly lowTraffic?: 'off' | LowTrafficProps;
  /**
   * As in the policy, for these integrations.
   * @default - as in the policy
   */
  readonly flapping?: 'tell' | 'pause' | 'off';
  /**
   * As in the policy, for these integrations.
   * @default - as in the policy
   */
  readonly recovery?: RecoveryProps;
}

/** The fleet's part of a guard. */
export interface GuardFleet {
  /** Runs a pass over one project of the fleet. */
  readonly passFunction: IFunction;
  /** Starts a pass for every project of the fleet. */
  readonly stateMachine: IStateMachine;
}
