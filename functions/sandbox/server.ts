import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as z from 'zod';
import { CATALOG, findProvider } from './catalog.ts';
import { type Fault, Faults, faultSchema } from './faults.ts';
import { World } from './world.ts';

/**
 * A local Qonversion v4 integrations API: list, create, meta, status, soft delete, with the documented validation, record
 * shape and error envelope, and a control API under `/_sandbox` for experiments. Listens on loopback only.
 */

/** Keys of the default projects. Plainly not real. */
export const PRODUCTION_KEY = 'sk_fake_sandbox_production';
export const TEST_KEY = 'test_sk_fake_sandbox_testing';
/** A production key that may read and not change. */
export const READ_ONLY_KEY = 'sk_fake_sandbox_read_only';

export interface SandboxOptions {
  /** Left out, or 0: any free port. */
  readonly port?: number;
  readonly production?: World;
  readonly testing?: World;
  /** Further projects, each by its key. */
  readonly others?: ReadonlyMap<string, World>;
  /** Splits lists into pages of this many records, as other v4 lists are; left out: one page, as documented today. */
  readonly pageSize?: number;
  /** The worlds follow this clock, at its speed. Left out: only `advance` lets time pass. */
  readonly clock?: SandboxClock;
  /** Answers `requests` requests in any `perMs`; the next get 429 with a `Retry-After` in whole seconds. */
  readonly rateLimit?: { readonly requests: number; readonly perMs: number };
}

/** A clock that the worlds follow. Each request first advances the worlds by the time since the last request. */
export interface SandboxClock {
  /** Milliseconds. */
  readonly now: () => number;
  /** 1: real time. */
  readonly speed: number;
}

export interface RequestSeen {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
}

export interface Sandbox {
  /** Base URL for `apiUrl`, ending in `/v4`. */
  readonly url: string;
  /** Base URL of the control API. */
  readonly controlUrl: string;
  /** The worlds of `sk_` keys and of `test_sk_` keys. */
  readonly production: World;
  readonly testing: World;
  readonly faults: Faults;
  /** Every API request so far. */
  readonly requests: readonly RequestSeen[];
  /** Revokes the production key and makes this one valid, as a regeneration in the dashboard does. */
  regenerateKey(key: string): void;
  close(): Promise<void>;
}

export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const state: State = {
    production: options.production ?? new World(),
    testing: options.testing ?? new World(),
    others: options.others ?? new Map(),
    faults: new Faults(),
    requests: [],
    productionKey: PRODUCTION_KEY,
    pageSize: options.pageSize ?? Number.POSITIVE_INFINITY,
    rateLimit: options.rateLimit ?? null,
    answeredAt: [],
    created: new Map(),
    clock: options.clock ?? null,
    clockReadAt: options.clock?.now() ?? 0,
  };
  const server = createServer((request, response) => {
    void serve(state, request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const origin = `http://127.0.0.1:${port}`;
  return {
    url: `${origin}/v4`,
    controlUrl: `${origin}/_sandbox`,
    production: state.production,
    testing: state.testing,
    faults: state.faults,
    requests: state.requests,
    regenerateKey: (key) => {
      state.productionKey = key;
    },
    close: () => closeServer(server),
  };
}

interface State {
  readonly production: World;
  readonly testing: World;
  readonly others: ReadonlyMap<string, World>;
  readonly faults: Faults;
  readonly requests: RequestSeen[];
  productionKey: string;
  readonly pageSize: number;
  readonly rateLimit: { readonly requests: number; readonly perMs: number } | null;
  /** When requests were let through, in real milliseconds. */
  answeredAt: number[];
  readonly clock: SandboxClock | null;
  clockReadAt: number;
  /** Answers by Idempotency-Key, with the body they answered. */
  readonly created: Map<string, { readonly body: string; readonly answer: Answer }>;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

async function serve(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  const text = await readText(request);
  followClock(state);
  if (url.pathname.startsWith('/_sandbox'))
    return send(response, control(state, request.method ?? 'GET', url.pathname, text));

  const method = request.method ?? 'GET';
  state.requests.push({ method, path: `${url.pathname}${url.search}`, authorization: request.headers.authorization });
  // The server's clock is the world's, so that a guard that compares it with the records' times sees one clock.
  const { world } = identify(state, request.headers.authorization) ?? { world: state.production };
  response.setHeader('date', world.now().toUTCString());
  const fault = state.faults.take(method, url.pathname);
  const handle = () => limited(state) ?? api(state, method, url, text, request.headers);
  if (fault === null) return send(response, handle());
  return sendFaulty(fault, request, response, handle);
}

function followClock(state: State): void {
  if (state.clock === null) return;
  const now = state.clock.now();
  const minutes = ((now - state.clockReadAt) * state.clock.speed) / 60_000;
  state.clockReadAt = now;
  if (minutes > 0)
    for (const world of [state.production, state.testing, ...state.others.values()]) world.advance(minutes);
}

/** The 429 that a request meets when there were too many lately; null when it may pass. */
function limited(state: State): Answer | null {
  const { rateLimit } = state;
  if (rateLimit === null) return null;
  const now = performance.now();
  state.answeredAt = state.answeredAt.filter((at) => now - at < rateLimit.perMs);
  const [oldest] = state.answeredAt;
  if (oldest !== undefined && state.answeredAt.length >= rateLimit.requests) {
    const seconds = Math.ceil((oldest + rateLimit.perMs - now) / 1_000);
    return { ...statusAnswer(429), headers: { 'retry-after': String(seconds) } };
  }
  state.answeredAt.push(now);
  return null;
}

async function sendFaulty(
  fault: Fault,
  request: IncomingMessage,
  response: ServerResponse,
  handle: () => Answer,
): Promise<void> {
  switch (fault.kind) {
    case 'latency':
      await new Promise((resolve) => setTimeout(resolve, fault.ms));
      return send(response, handle());
    case 'status': {
      const headers = {
        ...fault.headers,
        ...(fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter }),
      };
      if (fault.body === undefined) return send(response, { ...statusAnswer(fault.status), headers });
      response.writeHead(fault.status, { 'content-type': 'text/html', ...headers });
      response.end(fault.body);
      return;
    }
    case 'reset':
      request.socket.resetAndDestroy();
      return;
    case 'reset-after':
      handle();
      request.socket.resetAndDestroy();
      return;
    case 'cut': {
      const body = JSON.stringify(handle().body);
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
      response.write(body.slice(0, Math.floor(body.length / 2)), () => request.socket.resetAndDestroy());
      return;
    }
    case 'body':
      response.writeHead(200, { 'content-type': fault.contentType ?? 'text/html' });
      response.end(fault.body);
      return;
    case 'oversize': {
      response.writeHead(200, { 'content-type': 'application/json' });
      const chunk = ' '.repeat(64 * 1024);
      for (let sent = 0; sent < fault.bytes && !response.destroyed; sent += chunk.length) {
        if (!response.write(chunk)) await drained(response);
      }
      response.end(JSON.stringify(handle().body));
      return;
    }
    case 'silence':
      return;
    case 'drip': {
      const body = JSON.stringify(handle().body);
      response.writeHead(200, { 'content-type': 'application/json' });
      for (let at = 0; at < body.length && !response.destroyed; at += 4) {
        response.write(body.slice(at, at + 4));
        await new Promise((resolve) => setTimeout(resolve, fault.everyMs));
      }
      response.end();
    }
  }
}

function api(state: State, method: string, url: URL, text: string, headers: IncomingMessage['headers']): Answer {
  const identity = identify(state, headers.authorization);
  if (identity === null) return refusal(401, 'request', 'control_unauthorized', 'Missing or invalid Secret Key.');
  const { world, readOnly } = identity;
  const segments = url.pathname.split('/').slice(1).map(decodeURIComponent);
  const route = segments.length === 4 && segments[3] !== undefined ? `${method} ${segments[3]}` : method;
  const [version, collection, id] = segments;
  if (version !== 'v4' || collection !== 'integrations') return unknownUrl();

  if (segments.length === 2 && route === 'GET') return list(state, world, url.searchParams);
  if (segments.length === 3 && route === 'GET' && id === 'meta')
    return { status: 200, body: { object: 'integration_meta', data: CATALOG } };
  if (readOnly) return refusal(403, 'request', 'control_forbidden', 'This key may not change integrations.');
  if (segments.length === 2 && route === 'POST') return create(state, world, text, headers['idempotency-key']);
  if (segments.length === 4 && route === 'POST status' && id !== undefined) return setStatus(world, id, text);
  if (segments.length === 3 && route === 'DELETE' && id !== undefined) {
    return world.delete(id) ? { status: 200, body: { object: 'integration', id, deleted: true } } : notFound();
  }
  return unknownUrl();
}

/** One key, one project; the prefix separates production from sandbox data. */
function identify(
  state: State,
  authorization: string | undefined,
): { readonly world: World; readonly readOnly: boolean } | null {
  const key = authorization?.startsWith('Bearer ') ? authorization.slice('Bearer '.length) : null;
  if (key === state.productionKey) return { world: state.production, readOnly: false };
  if (key === READ_ONLY_KEY) return { world: state.production, readOnly: true };
  if (key === TEST_KEY) return { world: state.testing, readOnly: false };
  const world = key === null ? undefined : state.others.get(key);
  return world === undefined ? null : { world, readOnly: false };
}

function list(state: State, world: World, query: URLSearchParams): Answer {
  const all = world.list();
  const after = query.get('starting_after');
  const start = after === null ? 0 : all.findIndex(({ id }) => id === after) + 1;
  const limit = Math.min(state.pageSize, Number(query.get('limit') ?? state.pageSize));
  const data = all.slice(start, start + limit);
  return {
    status: 200,
    body: { object: 'list', url: '/v4/integrations', data, has_more: start + data.length < all.length },
  };
}

const createBody = z.object({
  title: z.string('must be a string').min(1, 'must not be empty').max(255, 'must be at most 255 characters'),
  integration: z.string('must be a string').refine((slug) => findProvider(slug) !== undefined, 'unknown provider'),
  target_platform: z.enum(['iOS', 'Android', 'Stripe'], 'must be one of iOS, Android, Stripe'),
});

function create(state: State, world: World, text: string, idempotencyKey: string | string[] | undefined): Answer {
  const key = typeof idempotencyKey === 'string' ? idempotencyKey : null;
  const earlier = key === null ? undefined : state.created.get(key);
  if (earlier !== undefined) {
    if (earlier.body === text) return earlier.answer;
    return refusal(409, 'resource', 'already_exists', 'This Idempotency-Key was used with another body.');
  }
  const parsed = parseBody(createBody, text);
  if ('refused' in parsed) return parsed.refused;
  const { title, integration, target_platform } = parsed.value;
  if (!findProvider(integration)?.platforms.includes(target_platform)) {
    return invalid([{ field: 'target_platform', message: `not supported by ${integration}` }]);
  }
  const answer = { status: 201, body: world.add({ title, provider: integration, platform: target_platform }) };
  if (key !== null) state.created.set(key, { body: text, answer });
  return answer;
}

const statusBody = z.object({ status: z.union([z.literal(0), z.literal(1)], 'must be 0 or 1') });

function setStatus(world: World, id: string, text: string): Answer {
  if (!/^[a-zA-Z0-9._-]{1,256}$/.test(id))
    return invalid([{ field: 'integration_id', message: 'must match ^[a-zA-Z0-9._-]+$' }]);
  const parsed = parseBody(statusBody, text);
  if ('refused' in parsed) return parsed.refused;
  const record = world.setStatus(id, parsed.value.status);
  return record === undefined ? notFound() : { status: 200, body: record };
}

function parseBody<T>(schema: z.ZodType<T>, text: string): { readonly value: T } | { readonly refused: Answer } {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return { refused: refusal(400, 'request', 'invalid_data', 'The body is not valid JSON.') };
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return { value: parsed.data };
  return {
    refused: invalid(parsed.error.issues.map(({ path, message }) => ({ field: path.join('.') || 'body', message }))),
  };
}

/** The control API: look at everything, let time pass, break and repair providers, switch faults. */
function control(state: State, method: string, path: string, text: string): Answer {
  const command = `${method} ${path.slice('/_sandbox'.length)}`;
  try {
    return { status: 200, body: runControl(state, command, controlBody.parse(JSON.parse(text || '{}'))) };
  } catch (error) {
    return { status: 400, body: { error: describeControlError(error) } };
  }
}

const controlBody = z.record(z.string(), z.unknown());

function describeControlError(error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error);
  return error instanceof Error ? error.message : String(error);
}

function runControl(state: State, command: string, body: Readonly<Record<string, unknown>>): unknown {
  const id = () => z.string().parse(body.id);
  const world = body.kind === 'testing' ? state.testing : state.production;
  switch (command) {
    case 'GET /state':
      return {
        now: world.now(),
        integrations: world.list(),
        faults: state.faults.list(),
        requests: state.requests.length,
      };
    case 'POST /advance':
      world.advance(z.int().min(1).max(100_000).parse(body.minutes));
      return { now: world.now() };
    case 'POST /add':
      return world.add(body as Parameters<World['add']>[0]);
    case 'POST /break': {
      const plan = breakBody.parse(body);
      world.breakDown(plan.id, plan.message, plan.hoursAgo);
      return world.get(plan.id);
    }
    case 'POST /outage': {
      const plan = z
        .object({
          message: z.string().default('HTTP 503 from upstream'),
          inMinutes: z.number().min(0).default(0),
          minutes: z.number().positive(),
        })
        .parse(body);
      world.planOutage(id(), plan.message, plan.inMinutes, plan.minutes);
      return world.get(id());
    }
    case 'POST /repair':
      world.repair(id());
      return world.get(id());
    case 'POST /flaky':
      world.setFlaky(id(), z.number().min(0).max(1).parse(body.share));
      return world.get(id());
    case 'POST /traffic':
      world.setTraffic(id(), z.number().min(0).parse(body.eventsPerMinute));
      return world.get(id());
    case 'POST /patch':
      world.patch(id(), z.record(z.string(), z.unknown()).parse(body.fields));
      return world.get(id());
    case 'POST /switch':
      return world.setStatus(id(), body.status === 1 ? 1 : 0) ?? null;
    case 'POST /key':
      state.productionKey = z.string().parse(body.key);
      return {};
    case 'POST /faults':
      state.faults.add(faultSchema.parse(body));
      return state.faults.list();
    case 'DELETE /faults':
      state.faults.clear();
      return state.faults.list();
    default:
      throw new Error(`the sandbox has no command "${command}"`);
  }
}

const breakBody = z.object({
  id: z.string(),
  message: z.string().default('HTTP 503 from upstream'),
  hoursAgo: z
    .number()
    .min(0)
    .max(24 * 30)
    .default(0),
});

function refusal(
  status: number,
  type: string,
  code: string,
  message: string,
  details?: readonly { field: string; message: string }[],
): Answer {
  return { status, body: { error: { type, code, message, ...(details === undefined ? {} : { details }) } } };
}

const invalid = (details: readonly { field: string; message: string }[]) =>
  refusal(422, 'request', 'invalid_data', 'The request is not valid.', details);

const notFound = () => refusal(404, 'resource', 'not_found', 'No such integration.');

const unknownUrl = () => refusal(400, 'request', 'invalid_request', 'Unknown URL.');

/** The envelope the API documents for a status. */
function statusAnswer(status: number): Answer {
  switch (status) {
    case 401:
      return refusal(401, 'request', 'control_unauthorized', 'Missing or invalid Secret Key.');
    case 403:
      return refusal(403, 'request', 'control_forbidden', 'This key may not change integrations.');
    case 404:
      return notFound();
    case 409:
      return refusal(409, 'resource', 'already_exists', 'Conflicts with the current state.');
    case 429:
      return refusal(429, 'request', 'rate_limited', 'Too many requests.');
    default:
      return status >= 500
        ? refusal(status, 'internal', 'unknown_error', 'Something went wrong on our side.')
        : refusal(status, 'request', 'invalid_data', 'The request is not valid.');
  }
}

function send(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
  response.end(JSON.stringify(answer.body));
}

/** Resolves when the response accepts more data, or its reader is gone. */
async function drained(response: ServerResponse): Promise<void> {
  const stop = new AbortController();
  const settle = () => stop.abort();
  response.once('close', settle);
  await once(response, 'drain', { signal: stop.signal }).catch(() => undefined);
  response.off('close', settle);
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
