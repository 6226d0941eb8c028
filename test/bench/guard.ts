import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SNSClient } from '@aws-sdk/client-sns';
import { createSnsAlertSink } from '../../functions/aws/alerts.ts';
import { createDynamoLedger } from '../../functions/aws/ledger.ts';
import { type PassReport, runPass } from '../../functions/guard/pass/run-pass.ts';
import { createQonversionClient } from '../../functions/qonversion/client.ts';
import { parseSecretKey } from '../../functions/qonversion/secret-key.ts';
import { aPolicy } from '../support/builders.ts';
import { silentLog } from '../support/memory-ports.ts';
import { sinkOptions } from '../support/sns-sink.ts';

/** The guard as the pass function assembles it, over the bench's services, warm. */
export interface Subject {
  pass(): Promise<PassReport>;
  destroy(): void;
}

/** @param maxBodyBytes the client's limit of a list; 100,000 integrations exceed its default */
export function createSubject(origin: string, maxBodyBytes?: number): Subject {
  const options = { endpoint: origin, region: 'eu-west-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } };
  const clock = { now: () => new Date() };
  const dynamo = new DynamoDBClient(options);
  const sns = new SNSClient(options);
  const secret = parseSecretKey('sk_fake_bench_0123456789', 'the bench', 'nothing');
  const key = { get: async () => secret, renew: async () => secret };
  const ledger = createDynamoLedger(dynamo, 'ledger', clock);
  const alerts = createSnsAlertSink({
    ...sinkOptions(),
    client: sns,
    topicArn: 'arn:aws:sns:eu-west-1:123456789012:alerts',
  });
  const policy = aPolicy({ blastRadius: { percent: 100, floor: 0 }, providerOutage: 'off' });
  return {
    pass: () => {
      const api = createQonversionClient({
        apiUrl: `${origin}/v4`,
        key,
        clock,
        remainingMs: () => 120_000,
        ...(maxBodyBytes === undefined ? {} : { maxBodyBytes }),
      });
      const ports = { api, ledger, alerts, clock, log: silentLog, remainingMs: () => 120_000 };
      return runPass(ports, { name: 'production', policy });
    },
    destroy: () => {
      dynamo.destroy();
      sns.destroy();
    },
  };
}
