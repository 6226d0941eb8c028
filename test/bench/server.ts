import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { PROJECT_TAG } from '../../functions/guard/settings/fleet.ts';
import { listen } from '../support/loopback.ts';

/**
 * The services that a pass depends on, in a separate process: Qonversion's list and status, DynamoDB, SNS and Secrets
 * Manager. Each implements only what a pass requests, answers after a given time, and does nothing else.
 */

/** The conditions of a run; sent to the child as a message. */
export interface Scene {
  readonly integrations: number;
  /** The first of them that exceed both limits. */
  readonly failing: number;
  readonly latencyMs: number;
  /** Limit of status requests per second; the others get a 429. Null: no limit. */
  readonly perSecond: number | null;
}

export interface Counts {
  lists: number;
  statuses: number;
  refused: number;
  /** Of these, requests of the other client of the key. */
  othersRefused: number;
  others: number;
  queries: number;
  writes: number;
  publishes: number;
  /** GetSecretValue. */
  secrets: number;
  /** DescribeSecret. */
  describes: number;
}

const counts: Counts = {
  lists: 0,
  statuses: 0,
  refused: 0,
  othersRefused: 0,
  others: 0,
  queries: 0,
  writes: 0,
  publishes: 0,
  secrets: 0,
  describes: 0,
};
let scene: Scene = { integrations: 0, failing: 0, latencyMs: 0, perSecond: null };
let list = '';
/** The projects' own items. A pass over failing integrations is always a project's first. */
const projectItems = new Map<string, unknown>();
let answered: number[] = [];

const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();

function record(index: number, active: 0 | 1): Record<string, unknown> {
  const failing = index < scene.failing;
  const id = `integration-${String(index).padStart(6, '0')}`;
  return {
    object: 'integration',
    id,
    url: `/v4/integrations/${id}`,
    title: `Amplitude — team ${index}`,
    integration: 'Amplitude',
    target_platform: index % 2 === 0 ? 'iOS' : 'Android',
    active,
    created_at: '2026-02-26T16:03:09Z',
    updated_at: '2026-02-26T16:03:09Z',
    last_delivery_at: minutesAgo(failing ? 90 : 1),
    last_error_at: failing ? minutesAgo(1) : null,
    last_error_message: failing ? 'HTTP 503 Service Unavailable' : null,
    delivery_error_count: failing ? 80 : 0,
  };
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await text(request);
  const { url = '/' } = request;
  const target = request.headers['x-amz-target'];
  const arrivedAt = performance.now();
  await sleep(scene.latencyMs);
  if (url === '/v4/integrations') {
    counts.lists += 1;
    return json(response, list);
  }
  if (url.startsWith('/v4/integrations/')) {
    const other = request.headers['user-agent'] !== 'integration-guard';
    if (other) counts.others += 1;
    if (isTooMuch(arrivedAt)) {
      counts.refused += 1;
      if (other) counts.othersRefused += 1;
      response.writeHead(429, { 'content-type': 'application/json' });
      response.end('{"error":{"type":"request","code":"rate_limited","message":"Too many requests."}}');
      return;
    }
    counts.statuses += 1;
    const index = Number(/integration-(\d+)/.exec(url)?.[1]);
    const { status } = JSON.parse(body) as { status: 0 | 1 };
    return json(response, JSON.stringify({ ...record(index, status), updated_at: new Date().toISOString() }));
  }
  if (typeof target === 'string') return json(response, answerJson(target.split('.').at(-1) ?? '', body));
  counts.publishes += 1;
  response.writeHead(200, { 'content-type': 'text/xml' });
  response.end(answerSns(new URLSearchParams(body)));
}

/** Whether the limit of the last second is exceeded. */
function isTooMuch(now: number): boolean {
  if (scene.perSecond === null) return false;
  answered = answered.filter((at) => now - at < 1_000);
  if (answered.length >= scene.perSecond) return true;
  answered.push(now);
  return false;
}

function itemsOf(query: string): readonly unknown[] {
  const { ExpressionAttributeValues } = JSON.parse(query) as {
    ExpressionAttributeValues: Record<string, { S?: string }>;
  };
  return Object.values(ExpressionAttributeValues).flatMap(({ S = '' }) => projectItems.get(S) ?? []);
}

function answerJson(action: string, body: string): string {
  switch (action) {
    case 'Query':
      counts.queries += 1;
      return JSON.stringify({ Items: scene.failing > 0 ? [] : itemsOf(body) });
    case 'GetSecretValue':
      counts.secrets += 1;
      return '{"SecretString":"sk_fake_bench_0123456789"}';
    case 'DescribeSecret':
      counts.describes += 1;
      return JSON.stringify({ ARN: 'arn', Name: 'x', Tags: [{ Key: PROJECT_TAG, Value: 'yes' }] });
    case 'BatchWriteItem':
      counts.writes += 1;
      return '{"UnprocessedItems":{}}';
    case 'PutItem': {
      counts.writes += 1;
      // The script's items have neither.
      const { Item } = JSON.parse(body) as { Item: { project?: { S: string }; item?: { S: string } } };
      if (Item.project !== undefined && Item.item?.S === 'project') projectItems.set(Item.project.S, Item);
      return '{}';
    }
    default:
      counts.writes += 1;
      return '{}';
  }
}

function answerSns(fields: URLSearchParams): string {
  const xmlns = 'xmlns="http://sns.amazonaws.com/doc/2010-03-31/"';
  const metadata = '<ResponseMetadata><RequestId>00000000-0000-4000-8000-000000000000</RequestId></ResponseMetadata>';
  if (fields.get('Action') === 'Publish')
    return `<PublishResponse ${xmlns}><PublishResult><MessageId>m</MessageId></PublishResult>${metadata}</PublishResponse>`;
  const ids = [...fields].filter(([name]) => /^PublishBatchRequestEntries\.member\.\d+\.Id$/.test(name));
  const members = ids.map(([, id]) => `<member><Id>${id}</Id><MessageId>m</MessageId></member>`).join('');
  return `<PublishBatchResponse ${xmlns}><PublishBatchResult><Successful>${members}</Successful><Failed/></PublishBatchResult>${metadata}</PublishBatchResponse>`;
}

function json(response: ServerResponse, body: string): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

const server = createServer((request, response) => void serve(request, response).catch(() => response.destroy()));
server.keepAliveTimeout = 60_000;
const origin = await listen(server);

/** A scene starts new counts; the answer contains the previous ones. */
process.on('message', (next: Scene) => {
  const before = { ...counts };
  scene = next;
  answered = [];
  for (const name of Object.keys(counts) as (keyof Counts)[]) counts[name] = 0;
  const data = Array.from({ length: scene.integrations }, (_, index) => record(index, 1));
  list = JSON.stringify({ object: 'list', url: '/v4/integrations', data, has_more: false });
  process.send?.({ origin, before });
});
process.send?.({ origin, before: counts });
