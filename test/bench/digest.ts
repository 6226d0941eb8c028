import { type PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { createSnsAlertSink, releaseAlerts, type SnsAlertSinkOptions } from '../../functions/aws/alerts.ts';
import type { IncidentTool } from '../../functions/aws/environment.ts';
import { createDynamoOpenIncidents } from '../../functions/aws/open-incidents.ts';
import { createDynamoSpool } from '../../functions/aws/spool.ts';
import { makeEvent } from '../../functions/guard/model/event.ts';
import { DIGEST_TIME_LIMIT_SECONDS } from '../../functions/guard/model/lease.ts';
import { PEOPLE } from '../../functions/guard/ports.ts';
import { RUN } from '../../functions/guard/settings/people.ts';
import { withIncident } from '../messages/events.ts';
import { CREDENTIALS, LEDGER_TABLE, startDynamo } from '../support/aws-emulators.ts';
import { aFailingRecord, NOON } from '../support/builders.ts';
import { SNS_LIMIT_BYTES, snsBytes } from '../support/sns-bytes.ts';
import { sinkOptions } from '../support/sns-sink.ts';
import { type Figure, figure } from './measure.ts';

/** The alerts of one run in which every project of a fleet has something to report. */
export interface DigestRun {
  /** Messages to people. */
  readonly messages: number;
  /** Bytes of the largest, as SNS counts them. */
  readonly bytes: number;
  /** Requests of an incident tool. */
  readonly incidents: number;
  /** Time of the release, with the reads and deletions in the table. */
  readonly seconds: number;
}

const TOOL: IncidentTool = {
  queueUrl: 'https://sqs.example.com/incidents.fifo',
  tool: 'pagerduty',
  minSeverity: 'info',
  projects: null,
};

/** @param count how many projects fail, each with an integration of one of three providers */
export async function runDigest(count: number): Promise<DigestRun> {
  const dynamo = await startDynamo();
  const client = new SNSClient({ ...CREDENTIALS, endpoint: 'http://127.0.0.1:1' });
  const sizes: number[] = [];
  client.middlewareStack.add(
    () => async (args) => {
      sizes.push(snsBytes(args.input as PublishCommand['input']));
      return { response: {}, output: { $metadata: {} } };
    },
    { step: 'initialize' },
  );
  let incidents = 0;
  const clock = { now: () => new Date(NOON) };
  const options: SnsAlertSinkOptions = {
    ...sinkOptions(),
    client,
    topicArn: 'arn:aws:sns:eu-west-1:123456789012:alerts',
    clock,
    isOfFleet: () => true,
    incidentTools: [TOOL],
    spool: createDynamoSpool(dynamo.client, LEDGER_TABLE, clock),
    openIncidents: createDynamoOpenIncidents(dynamo.client, LEDGER_TABLE),
    sendIncidents: async (_tool, messages) => {
      incidents += messages.length;
      return new Set(messages.map(({ id }) => id));
    },
  };
  const sink = createSnsAlertSink(options);
  for (let index = 0; index < count; index += 1) {
    const project = `customer-number-${String(index).padStart(8, '0')}`;
    const integration = ['Amplitude', 'AppsFlyer', 'Mixpanel'][index % 3] ?? '';
    const record = aFailingRecord(61, 48, { id: `integration-${index}`, integration });
    const event = withIncident(
      makeEvent({ type: 'integration.paused', project, time: NOON, episode: NOON, reason: '61 failures', record }),
    );
    await Promise.all(sink.audiences.slice(1).map((audience) => sink.publish(project, [event], audience)));
  }
  const before = performance.now();
  const left = await releaseAlerts(options, RUN, { projectsInFleet: count });
  const seconds = (performance.now() - before) / 1_000;
  client.destroy();
  await dynamo.stop();
  if (left > 0) throw new Error(`${left} alerts of the ${PEOPLE} were not sent`);
  return { messages: sizes.length, bytes: Math.max(...sizes), incidents, seconds };
}

export async function measureDigest(projects: readonly number[]): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const count of projects) {
    const { messages, bytes, incidents, seconds } = await runDigest(count);
    const of = (counted: string) => `all of ${count.toLocaleString('en-US')} projects report something: ${counted}`;
    figures.push(
      figure('fleet', of('messages to people'), '', messages, { atMost: 1 }),
      figure('fleet', of('bytes of the message'), '', bytes, { atMost: SNS_LIMIT_BYTES }),
      figure('fleet', of('requests to an incident tool, for three providers'), '', incidents, { atMost: 3 }),
      figure('fleet', of('time of the function'), 's', seconds, { atMost: DIGEST_TIME_LIMIT_SECONDS }),
    );
  }
  return figures;
}
