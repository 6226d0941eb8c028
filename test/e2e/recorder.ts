import { createServer, request as forward, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One AWS API call that a deployed function made. */
export interface RecordedCall {
  /** IAM's name of the action: `sns:Publish`. */
  readonly action: string;
  /** The name or ARN in the call. */
  readonly resource: string;
}

export interface Recorder {
  readonly url: string;
  /** Every call that has reached the emulator. */
  readonly calls: readonly RecordedCall[];
  /** From now on the recorder resets the connection of matching calls. Null ends that. */
  cutOff(isLost: ((call: RecordedCall) => boolean) | null): void;
  close(): Promise<void>;
}

/** A proxy between the deployed functions and the emulator that records every AWS call. */
export async function startRecorder(target: URL): Promise<Recorder> {
  const calls: RecordedCall[] = [];
  let isLost: ((call: RecordedCall) => boolean) | null = null;
  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const call = describeCall(incoming.headers, body.toString('utf8'));
    if (call !== null && isLost?.(call) === true) {
      incoming.socket.resetAndDestroy();
      return;
    }
    if (call !== null) calls.push(call);
    const upstream = forward(
      {
        host: target.hostname,
        port: target.port,
        method: incoming.method,
        path: incoming.url,
        headers: incoming.headers,
      },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    upstream.on('error', () => outgoing.destroy());
    upstream.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    cutOff: (condition) => {
      isLost = condition;
    },
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** API calls that share an IAM action with another call. */
const IAM_ACTION: Readonly<Record<string, string>> = {
  'sns:PublishBatch': 'sns:Publish',
  'sqs:SendMessageBatch': 'sqs:SendMessage',
};

/** Reads service, action and resource from a request in one of two protocols (JSON 1.x and Query). Null without a signature. */
function describeCall(headers: IncomingHttpHeaders, body: string): RecordedCall | null {
  const service = /Credential=[^/]+\/\d{8}\/[^/]+\/([^/]+)\//.exec(headers.authorization ?? '')?.[1];
  if (service === undefined) return null;
  const target = headers['x-amz-target'];
  const named = (action: string, resource: unknown): RecordedCall => {
    const plain = `${service}:${action}`;
    return { action: IAM_ACTION[plain] ?? plain, resource: String(resource ?? '') };
  };
  if (typeof target === 'string') {
    const fields = JSON.parse(body) as Record<string, unknown>;
    const [table] = Object.keys(fields.RequestItems ?? {});
    const queue = typeof fields.QueueUrl === 'string' ? queueArn(fields.QueueUrl) : undefined;
    return named(target.split('.').at(-1) ?? '', fields.TableName ?? fields.SecretId ?? table ?? queue);
  }
  const fields = new URLSearchParams(body);
  return named(fields.get('Action') ?? '', fields.get('TopicArn'));
}

/** The emulator's address of a queue ends with account and name, as on AWS. */
function queueArn(url: string): string {
  const [account = '', name = ''] = new URL(url).pathname.split('/').slice(-2);
  return `arn:aws:sqs:us-east-1:${account}:${name}`;
}
