import { createServer, type ServerResponse } from 'node:http';
import { createQonversionClient, type QonversionClientOptions } from '../../functions/qonversion/client.ts';
import { SecretKey } from '../../functions/qonversion/secret-key.ts';
import { NOON } from '../support/builders.ts';
import { close, listen } from '../support/loopback.ts';

/** An invented key in the form of a real one. */
export const A_KEY = 'sk_fake_q7Wm2ZrT9xKp4VbN8cYdL3fHs6JgA1eU';

/** A Qonversion server whose answers a test defines, and the real client that calls it. */
export interface HostileApi {
  readonly url: string;
  /** Sends the answers; replaceable. */
  answer: (response: ServerResponse, path: string) => void;
  /** The number of requests that it received. */
  readonly requests: () => number;
  client(options?: Partial<QonversionClientOptions>): ReturnType<typeof createQonversionClient>;
  close(): Promise<void>;
}

export async function startHostileApi(key: string): Promise<HostileApi> {
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    response.on('error', () => undefined);
    api.answer(response, request.url ?? '');
  });
  const url = `${await listen(server)}/v4`;
  const secret = new SecretKey(key);
  const api: HostileApi = {
    url,
    answer: (response) => void response.end('{}'),
    requests: () => requests,
    client: (options) =>
      createQonversionClient({
        apiUrl: url,
        key: { get: async () => secret, renew: async () => secret },
        clock: { now: () => new Date(NOON) },
        remainingMs: () => 60_000,
        firstWaitMs: 1,
        retries: 0,
        sleep: async () => undefined,
        ...options,
      }),
    close: () => close(server),
  };
  return api;
}

/** A record in the API's format, due to be paused. */
export function sentRecord(fields: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    object: 'integration',
    id: 'broken',
    url: '/v4/integrations/broken',
    title: 'Amplitude',
    integration: 'Amplitude',
    target_platform: 'iOS',
    active: 1,
    created_at: '2026-02-26T16:03:09Z',
    updated_at: '2026-02-26T16:03:09Z',
    last_delivery_at: '2026-11-23T02:00:00Z',
    last_error_at: NOON,
    last_error_message: 'HTTP 503',
    delivery_error_count: 500,
    ...fields,
  };
}

export function listOf(...records: readonly unknown[]): string {
  return JSON.stringify({ object: 'list', data: records, has_more: false });
}

/** The thrown value as text, with its causes and fields. */
export function shownOf(value: unknown): string {
  const seen = new Set<unknown>();
  return (
    JSON.stringify(value, (_name, inner: unknown) => {
      if (typeof inner !== 'object' || inner === null) return inner;
      if (seen.has(inner)) return '[again]';
      seen.add(inner);
      if (Buffer.isBuffer(inner)) return inner.toString('latin1');
      if (!(inner instanceof Error)) return inner;
      return { ...inner, name: inner.name, message: inner.message, stack: inner.stack, cause: inner.cause };
    }) ?? String(value)
  );
}
