import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';

/** The obvious script, for comparison: a sequential loop with fetch and the SDK. */
export function createScript(origin: string): { run(): Promise<number>; destroy(): void } {
  const options = { endpoint: origin, region: 'eu-west-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } };
  const dynamo = new DynamoDBClient(options);
  const sns = new SNSClient(options);
  const headers = { authorization: 'Bearer sk_fake_bench_0123456789', 'content-type': 'application/json' };
  return {
    run: async () => {
      const list = await fetch(`${origin}/v4/integrations`, { headers });
      const { data } = (await list.json()) as { data: { id: string; active: number; delivery_error_count: number }[] };
      let paused = 0;
      for (const { id, active, delivery_error_count: errors } of data) {
        if (active !== 1 || errors < 50) continue;
        const body = JSON.stringify({ status: 0 });
        const answer = await fetch(`${origin}/v4/integrations/${id}/status`, { method: 'POST', headers, body });
        await answer.json();
        await dynamo.send(new PutItemCommand({ TableName: 'ledger', Item: { id: { S: id } } }));
        await sns.send(new PublishCommand({ TopicArn: 'arn:aws:sns:eu-west-1:123456789012:alerts', Message: id }));
        paused += 1;
      }
      return paused;
    },
    destroy: () => {
      dynamo.destroy();
      sns.destroy();
    },
  };
}
