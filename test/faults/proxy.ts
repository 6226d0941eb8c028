import { createServer, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { close, listen } from '../support/loopback.ts';
import type { Random } from './random.ts';

/**
 * A proxy in front of the sandbox that gives every kind of bad answer, except a false record that looks right: no client can detect that.
 * Time is virtual: each answer adds its duration, and silence takes as long as a whole try.
 */
export interface Proxy {
  readonly url: string;
  /** How often it gave each kind of bad answer. */
  readonly done: ReadonlyMap<string, number>;
  /** From now on the proxy only forwards. */
  calm(): void;
  close(): Promise<void>;
}

export interface ProxyOptions {
  /** Base URL of the sandbox, ending in `/v4`. */
  readonly target: string;
  readonly random: Random;
  /** The target of redirects: a host that must never get a request. */
  readonly thief: string;
  /** Lets virtual time pass. */
  readonly passes: (ms: number) => void;
  /** The timeout of one try in milliseconds, including the body. */
  readonly tryMs: number;
  /** The client must refuse a larger body without reading it. In bytes. */
  readonly maxBodyBytes: number;
  /** Which answers are bad: one in `oneIn`, at random and in runs, or all answers to one method, each kind in turn. */
  readonly bad: { readonly oneIn: number } | { readonly all: 'GET' | 'POST' };
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Exchange {
  readonly method: string;
  /** Forwards the request, which takes effect, and returns the sandbox's answer. */
  readonly forward: () => Promise<Answer>;
  /** The present records, without an effect. */
  readonly list: () => Promise<readonly Record<string, unknown>[]>;
  readonly path: string;
  readonly response: ServerResponse;
  readonly socket: Socket;
  readonly options: ProxyOptions;
}

type Mischief = (exchange: Exchange) => Promise<void> | void;

const RETRY_AFTER = [
  '0',
  '1',
  '3',
  '29',
  '31',
  '86400',
  '-1',
  '1.5',
  '1e9',
  '0x10',
  'soon',
  '',
  'Wed, 99 Foo 2026',
  'NaN',
];

const JSON_TYPE = { 'content-type': 'application/json' };

function send(
  { response }: Exchange,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = JSON_TYPE,
): void {
  response.writeHead(status, headers);
  response.end(body);
}

const envelope = (type: string, code: string) => JSON.stringify({ error: { type, code, message: 'No.' } });

/** Bad answers to any request. */
const ANY: Readonly<Record<string, Mischief>> = {
  'rate limited': (exchange) => send(exchange, 429, envelope('request', 'rate_limited')),
  ...Object.fromEntries(
    RETRY_AFTER.map((value): [string, Mischief] => [
      `rate limited, Retry-After "${value}"`,
      (exchange) => send(exchange, 429, envelope('request', 'rate_limited'), { ...JSON_TYPE, 'retry-after': value }),
    ]),
  ),
  'rate limited until a date': (exchange) => {
    const inSeconds = exchange.options.random.pick([-5, 0, 2, 40]);
    exchange.response.setHeader('date', new Date(0).toUTCString());
    const headers = { ...JSON_TYPE, 'retry-after': new Date(inSeconds * 1_000).toUTCString() };
    send(exchange, 429, envelope('request', 'rate_limited'), headers);
  },
  '5xx with an envelope': (exchange) => send(exchange, 500, envelope('internal', 'storage_error')),
  '5xx in HTML': (exchange) => send(exchange, 503, '<html><h1>maintenance</h1>', { 'content-type': 'text/html' }),
  '5xx with nothing': (exchange) => send(exchange, 502, '', {}),
  '504 that asks to wait': (exchange) => send(exchange, 504, '', { 'retry-after': '2' }),
  '408': (exchange) => send(exchange, 408, ''),
  'reset before the effect': ({ socket }) => void socket.resetAndDestroy(),
  'reset after the effect': async ({ socket, forward }) => {
    await forward();
    socket.resetAndDestroy();
  },
  '500 after the effect': async (exchange) => {
    await exchange.forward();
    send(exchange, 500, envelope('internal', 'unknown_error'));
  },
  'cut in the middle': async ({ socket, response, forward }) => {
    const { body } = await forward();
    response.writeHead(200, { ...JSON_TYPE, 'content-length': Buffer.byteLength(body) });
    response.write(body.slice(0, body.length / 2), () => socket.resetAndDestroy());
  },
  'shorter than promised, in order': async (exchange) => {
    const { body } = await exchange.forward();
    send(exchange, 200, body.slice(0, body.length / 2));
  },
  'larger than the limit': ({ response, options }) => {
    response.writeHead(200, JSON_TYPE);
    response.end(Buffer.alloc(options.maxBodyBytes + 1, ' '));
  },
  'a wrong content type': async (exchange) => {
    const { status, body } = await exchange.forward();
    send(exchange, status, body, { 'content-type': 'image/png' });
  },
  'falsely declared as compressed': async (exchange) => {
    const { status, body } = await exchange.forward();
    send(exchange, status, body, { ...JSON_TYPE, 'content-encoding': 'gzip' });
  },
  'not UTF-8': ({ response }) => {
    response.writeHead(200, JSON_TYPE);
    response.end(Buffer.from([0xff, 0xfe, 0x7b, 0xc3, 0x28, 0x7d]));
  },
  'HTML with a 200': (exchange) =>
    send(exchange, 200, '<html>log in to the hotel wifi</html>', { 'content-type': 'text/html' }),
  'nothing with a 200': (exchange) => send(exchange, 200, ''),
  '204': (exchange) => send(exchange, 204, '', {}),
  null: (exchange) => send(exchange, 200, 'null'),
  'an envelope with a 200': (exchange) => send(exchange, 200, envelope('internal', 'unknown_error')),
  '200,000 brackets': (exchange) => send(exchange, 200, '['.repeat(200_000)),
  'a redirect to another host': (exchange) =>
    send(exchange, exchange.options.random.pick([301, 302, 303, 307, 308]), '', { location: exchange.options.thief }),
  'no HTTP': ({ socket }) => void socket.end('220 mail.example.com ESMTP\r\n'),
  silence: ({ options }) => options.passes(options.tryMs),
  'slow drip': async ({ response, options }) => {
    options.passes(options.tryMs);
    response.writeHead(200, JSON_TYPE);
    response.write('{"object":');
  },
  late: async (exchange) => {
    const { random, tryMs, passes } = exchange.options;
    passes(random.below(Math.floor(tryMs * 0.9)));
    const { status, body } = await exchange.forward();
    send(exchange, status, body);
  },
  'key refused': (exchange) => send(exchange, 401, envelope('request', 'control_unauthorized')),
  'not permitted': (exchange) => send(exchange, 403, envelope('request', 'control_forbidden')),
  'not found': (exchange) => send(exchange, 404, envelope('resource', 'not_found')),
  conflict: (exchange) => send(exchange, 409, envelope('resource', 'already_exists')),
  'a status that does not exist': (exchange) => send(exchange, 799, 'eh?'),
};

/** Invalid values of each field of a record. */
const NEVER: Readonly<Record<string, readonly unknown[]>> = {
  object: ['webhook', null, 1],
  id: ['', 'a b', '../status', 'x'.repeat(257), null, 7, '__proto__ '],
  title: [null, 7, ['x']],
  integration: [null, {}],
  target_platform: ['Windows', 'ios', '', null],
  active: [3, -1, '1', null, true, 1.5, [1]],
  created_at: ['yesterday', '', 0, null, '2026-13-45T99:99:99Z'],
  updated_at: ['yesterday', '', 0, null],
  last_delivery_at: ['soon', '', 0, false],
  last_error_at: ['soon', '', 0, false],
  last_error_message: [7, {}, ['x']],
  delivery_error_count: [-1, 0.5, '7', null, true, 2 ** 60, [50]],
};

interface ListBody {
  readonly object: string;
  readonly data: readonly Record<string, unknown>[];
  readonly has_more: boolean;
}

/** Changes a list. The unchanged records stay true. */
function onList(change: (body: ListBody, random: Random) => unknown): Mischief {
  return async (exchange) => {
    const { body } = await exchange.forward();
    send(exchange, 200, JSON.stringify(change(JSON.parse(body) as ListBody, exchange.options.random)));
  };
}

/** The record with an invalid or missing field. */
export function spoil(record: Readonly<Record<string, unknown>>, random: Random): Record<string, unknown> {
  const field = random.pick(Object.keys(NEVER));
  if (random.oneIn(3)) return Object.fromEntries(Object.entries(record).filter(([name]) => name !== field));
  return { ...record, [field]: random.pick(NEVER[field] ?? []) };
}

/** Bad lists. */
const LIST: Readonly<Record<string, Mischief>> = {
  'records reordered': onList((body, random) => ({ ...body, data: random.shuffle(body.data) })),
  'records twice': onList((body, random) => ({ ...body, data: random.shuffle([...body.data, ...body.data]) })),
  'records vanished': onList((body, random) => ({
    ...body,
    data: random.some(body.data, random.below(body.data.length)),
  })),
  'no records': onList((body) => ({ ...body, data: [] })),
  'records with invalid fields': onList((body, random) => ({
    ...body,
    data: body.data.map((record) => (random.oneIn(2) ? spoil(record, random) : record)),
  })),
  'elements that are not records': onList((body, random) => ({
    ...body,
    data: random.shuffle([...body.data, null, 7, 'x', [], {}, { id: 'ghost' }]),
  })),
  'a list that never ends': onList((body) => ({ ...body, has_more: true })),
  'an empty list that has more': onList((body) => ({ ...body, data: [], has_more: true })),
  'another object': onList((body) => ({ ...body, object: 'page' })),
  'data that is not a list': onList((body) => ({ ...body, data: { 0: body.data[0] } })),
};

/** Bad answers to a status request. The request takes effect unless the name says otherwise. */
const STATUS: Readonly<Record<string, Mischief>> = {
  'another record': async (exchange) => {
    const { body } = await exchange.forward();
    send(exchange, 200, JSON.stringify({ ...JSON.parse(body), id: 'another' }));
  },
  'half a record, and no effect': async (exchange) =>
    send(exchange, 200, JSON.stringify({ object: 'integration', active: 1 })),
  'a spoilt record': async (exchange) => {
    const { body } = await exchange.forward();
    send(exchange, 200, JSON.stringify(spoil(JSON.parse(body), exchange.options.random)));
  },
  'the old state, and no effect': async (exchange) => {
    const answer = await exchange.list();
    const record = answer.find(({ id }) => exchange.path.includes(`/${id}/`));
    send(exchange, 200, JSON.stringify(record ?? null));
  },
  'invalid, and no effect': (exchange) => send(exchange, 422, envelope('request', 'invalid_data')),
};

/** Bad answers by method, the specific ones first. */
const KINDS = { GET: { ...LIST, ...ANY }, POST: { ...STATUS, ...ANY } } as const;

export const MISCHIEF_COUNT = Object.keys({ ...ANY, ...LIST, ...STATUS }).length;

export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const { random, target } = options;
  const done = new Map<string, number>();
  let calm = false;
  /** The present run of bad answers. */
  let mood: { readonly name: string; readonly does: Mischief; left: number } | null = null;

  const server = createServer(async (request, response) => {
    // The sandbox's clock is the only one.
    response.sendDate = false;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const method = request.method ?? 'GET';
    const forward = async (): Promise<Answer> => {
      const answer = await fetch(`${target.replace(/\/v4$/, '')}${request.url ?? ''}`, {
        method,
        headers: { authorization: request.headers.authorization ?? '', 'content-type': 'application/json' },
        ...(method === 'POST' ? { body: Buffer.concat(chunks) } : {}),
      });
      const date = answer.headers.get('date');
      if (date !== null && !response.hasHeader('date')) response.setHeader('date', date);
      return { status: answer.status, headers: JSON_TYPE, body: await answer.text() };
    };
    const list = async () => {
      const headers = { authorization: request.headers.authorization ?? '' };
      const answer = await fetch(`${target}/integrations`, { headers });
      return ((await answer.json()) as ListBody).data;
    };
    const exchange: Exchange = {
      method,
      forward,
      list,
      path: request.url ?? '',
      response,
      socket: request.socket,
      options,
    };
    // A client that stops waiting closes the connection, and a write then emits an error.
    response.on('error', () => undefined);
    const mischief = chooseMischief(method);
    try {
      if (mischief !== null) return await mischief(exchange);
      const { status, body } = await forward();
      send(exchange, status, body);
    } catch {
      request.socket.destroy();
    }
  });

  let turn = 0;
  function chooseMischief(method: string): Mischief | null {
    if (calm) return null;
    const kinds = Object.entries(method === 'GET' ? KINDS.GET : KINDS.POST);
    const { bad } = options;
    if ('all' in bad) {
      const [name, does] = kinds[turn % kinds.length] ?? [];
      if (method !== bad.all || name === undefined || does === undefined) return null;
      turn += 1;
      return note(name, does);
    }
    if (mood !== null && mood.left > 0 && kinds.some(([name]) => name === mood?.name)) {
      mood.left -= 1;
    } else {
      if (!random.oneIn(bad.oneIn)) return null;
      const [name, does] = random.pick(kinds);
      mood = { name, does, left: random.oneIn(3) ? random.below(8) : 0 };
    }
    return note(mood.name, mood.does);
  }

  function note(name: string, does: Mischief): Mischief {
    done.set(name, (done.get(name) ?? 0) + 1);
    return does;
  }

  const origin = await listen(server);
  return {
    url: `${origin}/v4`,
    done,
    calm: () => {
      calm = true;
    },
    close: () => close(server),
  };
}
