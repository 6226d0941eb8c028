import { appendFile, mkdtemp, readFile, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SNSClient } from '@aws-sdk/client-sns';
import { createSnsAlertSink } from '../../functions/aws/alerts.ts';
import { createDynamoLedger } from '../../functions/aws/ledger.ts';
import { type GuardEvent, isAuditOnly } from '../../functions/guard/model/event.ts';
import type { EventType } from '../../functions/guard/model/event-catalogue.ts';
import {
  type AlertSink,
  type Clock,
  type IntegrationsApi,
  type Ledger,
  MACHINES,
  PEOPLE,
  type Ports,
} from '../../functions/guard/ports.ts';
import { createTerminalAlertSink } from '../../functions/local/alerts.ts';
import { createFileLedger } from '../../functions/local/ledger.ts';
import { type CloudEvent, toCloudEvent } from '../../functions/messages/cloud-event.ts';
import { CREDENTIALS, LEDGER_TABLE, startDynamo, startSns } from '../support/aws-emulators.ts';
import { IncidentTool } from '../support/incident-tool.ts';
import { createMemoryAlerts, createMemoryLedger, silentLog } from '../support/memory-ports.ts';
import { sinkOptions } from '../support/sns-sink.ts';
import { keyOf } from './busy-day.ts';
import { type Gate, gated, gatedClient, OPEN_GATE } from './effects.ts';

/** A ledger and an alert sink. The API is the same in every place. */
export interface Place {
  readonly name: string;
  /** A new, empty ledger, and no alerts yet. */
  open(clock: Clock): Promise<Opened>;
  close(): Promise<void>;
}

export interface Opened {
  readonly ledger: Ledger;
  /** All ports, with the gate at every effect. */
  ports(api: IntegrationsApi, gate?: Gate): Ports;
  delivered(): Promise<Delivered>;
  /** How another process reaches the same ledger and alerts. Null if it cannot. */
  readonly elsewhere: Elsewhere | null;
  /** Lets real time pass for locks: a dead process's lock is stale afterwards. */
  rest(): Promise<void>;
}

/** The alerts that machines and people have accepted. */
export interface Delivered {
  /** IDs of the alerts by "type integration". */
  readonly machines: ReadonlyMap<string, ReadonlySet<string>>;
  /** An incident tool after all messages for machines. */
  readonly tool: IncidentTool;
  /** The texts of all digests. */
  readonly people: string;
}

/** Files, or addresses of emulators on loopback. */
export type Elsewhere =
  | { readonly kind: 'machine'; readonly ledger: string; readonly alerts: string }
  | {
      readonly kind: 'aws';
      readonly dynamo: string;
      readonly sns: string;
      readonly topicArn: string;
      readonly prefix: string;
    };

export async function openPlaces(): Promise<readonly Place[]> {
  return [createMemoryPlace(), await createMachinePlace(), await createAwsPlace()];
}

const LIMIT_MS = 120_000;

function portsOf(api: IntegrationsApi, ledger: Ledger, alerts: AlertSink, clock: Clock): Ports {
  return { api, ledger, alerts, clock, log: silentLog, remainingMs: () => LIMIT_MS };
}

export function createMemoryPlace(): Place {
  return {
    name: 'in memory',
    open: async (clock) => {
      const ledger = createMemoryLedger(clock);
      const alerts = createMemoryAlerts([MACHINES, PEOPLE]);
      const acceptedBy = (name: string) =>
        alerts.published.flatMap(({ audience, events }) => (audience === name ? events : []));
      return {
        ledger,
        ports: (api, gate = OPEN_GATE) => gated(portsOf(api, ledger, alerts, clock), gate),
        delivered: async () =>
          deliveredOf(
            acceptedBy(MACHINES),
            acceptedBy(PEOPLE)
              .map(({ record }) => `(${record?.id})`)
              .join(),
            acceptedBy(MACHINES).map(toCloudEvent),
          ),
        elsewhere: null,
        rest: async () => undefined,
      };
    },
    close: async () => undefined,
  };
}

/** One machine: the ledger is a file, and mails appear on the terminal. */
async function createMachinePlace(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'faults-'));
  let count = 0;
  return {
    name: 'one machine',
    open: async (clock) => {
      count += 1;
      const elsewhere: Elsewhere = {
        kind: 'machine',
        ledger: join(folder, `ledger-${count}.json`),
        alerts: join(folder, `alerts-${count}.jsonl`),
      };
      return {
        ledger: createFileLedger(elsewhere.ledger, clock),
        ports: (api, gate) => portsElsewhere(elsewhere, api, clock, gate),
        delivered: async () => {
          const text = await readFile(elsewhere.alerts, 'utf8').catch(() => '');
          const lines = text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]));
          return deliveredOf(
            lines.flatMap(({ events }) => events),
            lines.map(({ mail }) => mail).join('\n'),
          );
        },
        elsewhere,
        // In reality a dead process's lock is stale by the next pass. Here time is virtual, so make it old.
        rest: async () => {
          const long = new Date(Date.now() - 60_000);
          await utimes(`${elsewhere.ledger}.lock`, long, long).catch(() => undefined);
        },
      };
    },
    close: () => rm(folder, { recursive: true }),
  };
}

/** One call of the alert sink on one machine. */
interface Line {
  readonly events: readonly GuardEvent[];
  readonly mail: string;
}

/** AWS: DynamoDB and SNS on loopback, with a queue for machines and one for people. */
async function createAwsPlace(): Promise<Place> {
  const dynamo = await startDynamo();
  const sns = await startSns();
  let count = 0;
  return {
    name: 'AWS',
    open: async (clock) => {
      count += 1;
      const name = `run-${count}`;
      const { topicArn } = sns.createTopic(name);
      for (const kind of ['event', 'digest']) {
        sns.createQueue(`${name}-${kind}`);
        const attributes = { RawMessageDelivery: 'true', FilterPolicy: JSON.stringify({ kind: [kind] }) };
        sns.subscribe({ topic: name, queue: `${name}-${kind}`, attributes });
      }
      const bodies = (kind: string) =>
        (sns.inspectQueue(`${name}-${kind}`)?.messages.ready ?? []).map(({ body }) => body);
      const elsewhere: Elsewhere = { kind: 'aws', dynamo: dynamo.endpoint, sns: sns.address, topicArn, prefix: name };
      return {
        ledger: underName(createDynamoLedger(dynamo.client, LEDGER_TABLE, clock), name),
        ports: (api, gate) => portsElsewhere(elsewhere, api, clock, gate),
        delivered: async () => {
          // In batches the emulator does not select the body by protocol.
          const events = bodies('event').map((body) => JSON.parse((JSON.parse(body) as Message).default) as CloudEvent);
          const records = events.map(({ id, type, subject }) => ({
            id,
            type,
            record: subject === undefined ? null : { id: subject },
          }));
          return deliveredOf(records, bodies('digest').join('\n'), events);
        },
        elsewhere,
        rest: async () => undefined,
      };
    },
    close: async () => {
      await dynamo.stop();
      await sns.stop();
    },
  };
}

interface Message {
  readonly default: string;
}

/** The ports of a place, from this process or from one that will be killed. */
export function portsElsewhere(
  elsewhere: Elsewhere,
  api: IntegrationsApi,
  clock: Clock,
  gate: Gate = OPEN_GATE,
): Ports {
  if (elsewhere.kind === 'machine') {
    const alerts: AlertSink = {
      audiences: [PEOPLE],
      publish: async (project, events, audience) => {
        let mail = '';
        const terminal = createTerminalAlertSink((text) => {
          mail += text;
        });
        const accepted = await terminal.publish(project, events, audience);
        await appendFile(elsewhere.alerts, `${JSON.stringify({ events, mail } satisfies Line)}\n`);
        return accepted;
      },
    };
    return gated(portsOf(api, createFileLedger(elsewhere.ledger, clock), alerts, clock), gate);
  }
  const dynamo = gatedClient(new DynamoDBClient({ ...CREDENTIALS, endpoint: elsewhere.dynamo }), gate);
  const client = gatedClient(new SNSClient({ ...CREDENTIALS, endpoint: elsewhere.sns }), gate);
  const { topicArn, prefix } = elsewhere;
  const ledger = underName(createDynamoLedger(dynamo, LEDGER_TABLE, clock), prefix);
  const alerts = createSnsAlertSink({
    ...sinkOptions(),
    client,
    topicArn,
  });
  return { ...portsOf(api, ledger, alerts, clock), api: gated(portsOf(api, ledger, alerts, clock), gate).api };
}

/** A ledger in a shared table, with a partition for each run. */
function underName(ledger: Ledger, name: string): Ledger {
  return {
    read: () => ledger.read(name),
    write: (_project, ...rest) => ledger.write(name, ...rest),
    appendHistory: (_project, events) => ledger.appendHistory(name, events),
    history: (_project, since) => ledger.history(name, since),
  };
}

function deliveredOf(
  events: readonly (Pick<GuardEvent, 'id'> & {
    readonly type: EventType;
    readonly record: { readonly id: string } | null;
  })[],
  people: string,
  messages: readonly CloudEvent[] = [],
): Delivered {
  const machines = new Map<string, Set<string>>();
  for (const event of events) {
    if (isAuditOnly(event)) continue;
    const key = keyOf(event);
    machines.set(key, (machines.get(key) ?? new Set()).add(event.id));
  }
  const tool = new IncidentTool();
  for (const message of messages) tool.hear(message);
  return { machines, people, tool };
}
