import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeError } from '../../functions/guard/errors.ts';
import type { StatusAnswer } from '../../functions/guard/model/integration.ts';
import { createQonversionClient, type QonversionClientOptions } from '../../functions/qonversion/client.ts';
import {
  KeyRefusedError,
  NotFoundError,
  NotPermittedError,
  RateLimitedError,
  RequestRefusedError,
  UnavailableError,
  UnexpectedAnswerError,
} from '../../functions/qonversion/errors.ts';
import { parseSecretKey, SecretKey } from '../../functions/qonversion/secret-key.ts';
import type { Fault } from '../../functions/sandbox/faults.ts';
import { PRODUCTION_KEY, READ_ONLY_KEY, type Sandbox, startSandbox, TEST_KEY } from '../../functions/sandbox/server.ts';

let sandbox: Sandbox;

beforeEach(async () => {
  sandbox = await startSandbox();
  sandbox.production.add({ id: 'amp-ios', title: 'Amplitude — Production iOS', active: 1 });
  sandbox.production.add({ id: 'draft', provider: 'segment' });
});

afterEach(() => sandbox.close());

const keyOf = (...texts: readonly string[]) => {
  const keys = texts.map((text) => new SecretKey(text));
  let at = 0;
  return {
    get: async () => keys[at] ?? new SecretKey(''),
    renew: async () => {
      at = Math.min(at + 1, keys.length - 1);
      return keys[at] ?? new SecretKey('');
    },
  };
};

function client(options: Partial<QonversionClientOptions> = {}) {
  return createQonversionClient({
    apiUrl: sandbox.url,
    key: keyOf(PRODUCTION_KEY),
    clock: { now: () => sandbox.production.now() },
    remainingMs: () => 60_000,
    firstWaitMs: 1,
    // No test waits. The tests about waiting inspect this function instead.
    sleep: async () => undefined,
    timeoutMs: 20_000,
    ...options,
  });
}

const inTenSeconds = (moment: Date) => new Date(moment.getTime() + 10_000).toUTCString();

const fault = (value: Fault, times?: number) =>
  sandbox.faults.add({ fault: value, ...(times === undefined ? {} : { times }) });

describe('list', () => {
  it('returns every integration of the project', async () => {
    const { records, invalid } = await client().list();
    expect(records.map(({ id, active }) => [id, active])).toEqual([
      ['amp-ios', 1],
      ['draft', 0],
    ]);
    expect(invalid).toEqual([]);
  });

  it('takes one request', async () => {
    const api = client();
    await api.list();
    expect(api.traffic).toMatchObject({ requests: 1, retries: 0 });
  });

  it('returns the sandbox data for a test key', async () => {
    sandbox.testing.add({ id: 'only-here' });
    const { records } = await client({ key: keyOf(TEST_KEY) }).list();
    expect(records.map(({ id }) => id)).toEqual(['only-here']);
  });

  it('follows has_more with starting_after', async () => {
    const paged = await startSandbox({ pageSize: 2 });
    for (const id of ['a', 'b', 'c', 'd', 'e']) paged.production.add({ id });
    const { records } = await client({ apiUrl: paged.url }).list();
    expect(records.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(paged.requests.map(({ path }) => path)).toEqual([
      '/v4/integrations',
      '/v4/integrations?starting_after=b',
      '/v4/integrations?starting_after=d',
    ]);
    await paged.close();
  });

  it('ends if has_more stays true without anything new', async () => {
    const record = sandbox.production.get('amp-ios');
    fault({ kind: 'body', body: JSON.stringify({ object: 'list', data: [record], has_more: true }) });
    await expect(client().list()).rejects.toThrow(
      'Qonversion says that the list of integrations continues after page 2, but sends nothing new',
    );
  });

  it('drops unknown fields, and rejects only the records with invalid ones', async () => {
    const good = { ...sandbox.production.get('amp-ios'), invented_next_year: { deep: true } };
    const data = [
      good,
      { ...good, id: 'b', active: 3 },
      { ...good, id: 'c', delivery_error_count: 'many' },
      { ...good, id: '../d' },
      null,
      'text',
    ];
    fault({ kind: 'body', body: JSON.stringify({ object: 'list', data, has_more: false }) });
    const { records, invalid } = await client().list();
    expect(records).toHaveLength(1);
    expect(invalid).toEqual([
      { id: 'b', problem: 'active is not 0, 1 or 2' },
      { id: 'c', problem: 'delivery_error_count is not a whole number' },
      { id: null, problem: 'id is not an ID of letters, digits, ".", "_" and "-"' },
      { id: null, problem: 'expected object' },
      { id: null, problem: 'expected object' },
    ]);
  });

  it('removes personal data from error messages, unless it is wanted', async () => {
    const message = 'no user jane.doe@example.com at 203.0.113.7 (Bearer abc123def456ghi)';
    const record = { ...sandbox.production.get('amp-ios'), last_error_message: message };
    fault({ kind: 'body', body: JSON.stringify({ object: 'list', data: [record], has_more: false }) });
    const messageOf = async (personalData: 'redact' | 'show') =>
      (await client({ personalData }).list()).records[0]?.last_error_message;
    expect(await messageOf('redact')).toBe('no user [email] at [ip] (Bearer [redacted])');
    expect(await messageOf('show')).toBe('no user jane.doe@example.com at 203.0.113.7 (Bearer [redacted])');
  });

  it('returns a record once even if it comes twice', async () => {
    const record = sandbox.production.get('amp-ios');
    fault({ kind: 'body', body: JSON.stringify({ object: 'list', data: [record, record], has_more: false }) });
    expect((await client().list()).records).toHaveLength(1);
  });
});

async function errorOf(answer: Promise<StatusAnswer>): Promise<Error | null> {
  const given = await answer;
  return 'error' in given ? given.error : null;
}

describe('setStatus', () => {
  it('sends the documented request and returns the record as it is afterwards', async () => {
    const answer = await client().setStatus('amp-ios', 0);
    expect(answer).toMatchObject({ outcome: 'set', record: { id: 'amp-ios', active: 0 } });
    expect(sandbox.requests).toMatchObject([{ method: 'POST', path: '/v4/integrations/amp-ios/status' }]);
  });

  it('is harmless when repeated', async () => {
    await client().setStatus('amp-ios', 0);
    expect(await client().setStatus('amp-ios', 0)).toMatchObject({ record: { active: 0 } });
  });

  it.each(['', '.', '..', '../meta', 'a/b', 'a b', 'ä', 'x'.repeat(257)])('never puts %j into a URL', async (id) => {
    const error = expect.any(RequestRefusedError);
    expect(await client().setStatus(id, 0)).toEqual({ outcome: 'refused', error });
    expect(sandbox.requests).toEqual([]);
  });

  it('treats a 200 without the requested state in its record as a failure', async () => {
    fault({ kind: 'body', body: JSON.stringify(sandbox.production.get('amp-ios')), contentType: 'application/json' });
    expect(await client().setStatus('amp-ios', 0)).toMatchObject({
      outcome: 'unknown',
      error: { message: 'Qonversion accepted status 0 for integration amp-ios, but its record shows active 1' },
    });
  });

  it('treats a 200 with another record as a failure', async () => {
    fault({ kind: 'body', body: JSON.stringify(sandbox.production.get('draft')), contentType: 'application/json' });
    const answer = await client().setStatus('amp-ios', 0);
    expect(answer).toMatchObject({
      outcome: 'unknown',
      error: { message: expect.stringContaining('its record shows another integration') },
    });
  });

  it('may have had an effect if the answer is lost, and is retried', async () => {
    fault({ kind: 'reset-after' }, 1);
    expect(await client().setStatus('amp-ios', 0)).toMatchObject({ record: { active: 0 } });
    expect(sandbox.requests).toHaveLength(2);
  });
});

describe('the clock of the API', () => {
  const skewed = (minutes: number) => ({ now: () => new Date(sandbox.production.now().getTime() - minutes * 60_000) });

  it.each([0, 7, -25, 45, -20 * 60])('is known to be %s minutes ahead of ours', async (minutes) => {
    expect((await client({ clock: skewed(minutes) }).list()).clockAheadMs).toBe(minutes * 60_000);
  });

  it('counts as equal to ours if it is a few seconds ahead: the latency of an answer', async () => {
    expect((await client({ clock: skewed(0.05) }).list()).clockAheadMs).toBe(0);
  });

  it.each(['', 'yesterday'])('is unknown if the Date header is %j', async (date) => {
    fault({ kind: 'status', status: 200, headers: { date }, body: '{"object":"list","data":[],"has_more":false}' });
    expect((await client({ clock: skewed(7) }).list()).clockAheadMs).toBeNull();
  });
});

describe('after a status call that failed', () => {
  const outcome = async () => (await client({ sleep: async () => undefined }).setStatus('amp-ios', 0)).outcome;

  it('a 401 is a refusal that applies to every integration', async () => {
    fault({ kind: 'status', status: 401 });
    expect(await outcome()).toBe('key-refused');
  });

  it.each([403, 404, 409, 422, 429])('a %i is a refusal: it had no effect', async (status) => {
    fault({ kind: 'status', status });
    expect(await outcome()).toBe('refused');
  });

  it.each([
    ['a 500', { kind: 'status', status: 500 }],
    ['a 408', { kind: 'status', status: 408 }],
    ['a lost answer', { kind: 'reset-after' }],
    ['an answer that is not the API’s', { kind: 'body', body: '<html></html>' }],
  ] as const)('%s leaves the outcome unknown', async (_name, value) => {
    fault(value);
    expect(await outcome()).toBe('unknown');
  });

  it('a new key after a lost answer leaves the outcome unknown', async () => {
    fault({ kind: 'reset-after' }, 1);
    fault({ kind: 'status', status: 401 }, 1);
    fault({ kind: 'status', status: 403 });
    const renewed = { get: async () => new SecretKey(PRODUCTION_KEY), renew: async () => new SecretKey(READ_ONLY_KEY) };
    const answer = await client({ key: renewed, sleep: async () => undefined }).setStatus('amp-ios', 0);
    expect(answer.outcome).toBe('unknown');
  });

  it('a refusal after a lost answer leaves the outcome unknown', async () => {
    fault({ kind: 'reset-after' }, 1);
    fault({ kind: 'status', status: 409 });
    expect(await outcome()).toBe('unknown');
    expect(sandbox.production.get('amp-ios')?.active).toBe(0);
  });
});

describe('refusals', () => {
  it.each([
    [400, RequestRefusedError],
    [401, KeyRefusedError],
    [403, NotPermittedError],
    [404, NotFoundError],
    [409, RequestRefusedError],
    [422, RequestRefusedError],
  ] as const)('a %i is one sentence, an error of its own class, and not retried', async (status, expected) => {
    fault({ kind: 'status', status });
    const error = await errorOf(client().setStatus('amp-ios', 0));
    expect(error).toBeInstanceOf(expected);
    expect(error).toMatchObject({ status, type: expect.any(String), code: expect.any(String) });
    expect(describeError(error)).toMatch(/^Qonversion .*\d{3}\)?/);
    expect(sandbox.requests).toHaveLength(1);
  });

  it('carry the details of the envelope', async () => {
    const body = JSON.stringify({
      error: {
        type: 'request',
        code: 'invalid_data',
        message: 'no',
        details: [{ field: 'status', message: 'must be 0 or 1' }],
      },
    });
    fault({ kind: 'status', status: 422, body });
    expect(await errorOf(client().setStatus('amp-ios', 0))).toMatchObject({
      code: 'invalid_data',
      details: [{ field: 'status', message: 'must be 0 or 1' }],
    });
  });

  it('need no JSON body: a proxy may answer', async () => {
    fault({ kind: 'status', status: 403, body: '<html>blocked</html>' });
    await expect(client().list()).rejects.toMatchObject({ name: 'NotPermittedError', type: null });
  });

  it('a read-only key is not permitted to set a status', async () => {
    const readOnly = client({ key: keyOf(READ_ONLY_KEY) });
    expect(await errorOf(readOnly.setStatus('amp-ios', 0))).toBeInstanceOf(NotPermittedError);
  });
});

describe('a 401', () => {
  it('makes it read the key once more, because it may have just been regenerated', async () => {
    sandbox.regenerateKey('sk_fake_regenerated');
    const { records } = await client({ key: keyOf(PRODUCTION_KEY, 'sk_fake_regenerated') }).list();
    expect(records).toHaveLength(2);
    expect(sandbox.requests).toHaveLength(2);
  });

  it('is final if the key is unchanged', async () => {
    sandbox.regenerateKey('sk_fake_regenerated');
    await expect(client().list()).rejects.toThrow(KeyRefusedError);
    expect(sandbox.requests).toHaveLength(1);
  });
});

describe('law 6: retries', () => {
  it.each([
    ['a reset connection', { kind: 'reset' }],
    ['a body cut off', { kind: 'cut' }],
    ['a 408', { kind: 'status', status: 408 }],
    ['a 429', { kind: 'status', status: 429 }],
    ['a 500', { kind: 'status', status: 500 }],
    ['a 503 in HTML', { kind: 'status', status: 503, body: '<html>maintenance</html>' }],
  ] as const)('follow %s, and succeed once the fault has passed', async (_name, value) => {
    fault(value, 2);
    const api = client();
    await expect(api.list()).resolves.toBeDefined();
    expect(api.traffic).toMatchObject({ requests: 3, retries: 2 });
    fault(value, 2);
    expect(await api.setStatus('amp-ios', 0)).toMatchObject({ outcome: 'set', record: { active: 0 } });
  });

  it.each([
    [
      'a reset connection',
      { kind: 'reset' },
      /could not be reached for the list of integrations: (ECONNRESET|UND_ERR_SOCKET)/,
    ],
    ['a body cut off', { kind: 'cut' }, /could not be reached for the list of integrations/],
    ['a 500', { kind: 'status', status: 500 }, /Qonversion failed on the list of integrations \(500\)/],
  ] as const)('end after five tries of %s, with one sentence', async (_name, value, sentence) => {
    fault(value);
    await expect(client().list()).rejects.toThrow(sentence);
    expect(sandbox.requests).toHaveLength(5);
  });

  it('end when no time is left', async () => {
    fault({ kind: 'status', status: 500 });
    let left = 2;
    const remainingMs = () => {
      left -= 1;
      return left > 0 ? 1_000 : 0;
    };
    await expect(client({ remainingMs }).list()).rejects.toThrow(UnavailableError);
    expect(sandbox.requests.length).toBeLessThan(3);
  });

  it('wait as long as Retry-After asks', async () => {
    fault({ kind: 'status', status: 429, retryAfter: '7' }, 1);
    fault({ kind: 'status', status: 503, retryAfter: '2' }, 1);
    const waits: number[] = [];
    await client({ sleep: async (ms) => waits.push(ms) }).list();
    expect(waits.slice(0, 2)).toEqual([7_000, 2_000]);
  });

  it('wait until the date in Retry-After', async () => {
    fault({ kind: 'status', status: 429, retryAfter: inTenSeconds(sandbox.production.now()) }, 1);
    const waits: number[] = [];
    // Our own clock does not matter: the date is by the API's clock.
    const clock = { now: () => new Date(sandbox.production.now().getTime() + 3_600_000) };
    await client({ clock, sleep: async (ms) => waits.push(ms) }).list();
    expect(waits).toEqual([10_000]);
  });

  it.each(['0', new Date(0).toUTCString(), 'soon', '-5', '1e9', ''])(
    'are not confused by Retry-After %j',
    async (retryAfter) => {
      fault({ kind: 'status', status: 429, retryAfter }, 1);
      await expect(client().list()).resolves.toBeDefined();
    },
  );

  it('give up at once if Retry-After exceeds the remaining time', async () => {
    fault({ kind: 'status', status: 429, retryAfter: '3600' });
    const error: unknown = await client()
      .list()
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RateLimitedError);
    expect(describeError(error)).toContain('asks for a wait of 3600 s');
    expect(sandbox.requests).toHaveLength(1);
  });
});

describe('many requests at once', () => {
  it('all wait if one is asked to wait, and all succeed', async () => {
    const ids = Array.from({ length: 30 }, (_, index) => `i${index}`);
    for (const id of ids) sandbox.production.add({ id, active: 1 });
    fault({ kind: 'status', status: 429, retryAfter: '1' }, 3);
    const waits: number[] = [];
    const api = client({ sleep: async (ms) => waits.push(ms) });
    await Promise.all(ids.map((id) => api.setStatus(id, 0)));
    expect(ids.filter((id) => sandbox.production.get(id)?.active !== 0)).toEqual([]);
    // The other waits are the slots of the reduced rate.
    expect(waits.filter((ms) => ms === 1_000)).toHaveLength(3);
    expect(api.traffic).toMatchObject({ requests: 33, retries: 3 });
  });

  it('end at once, with a known outcome, if the API asks for a longer wait than the remaining time', async () => {
    const ids = Array.from({ length: 30 }, (_, index) => `i${index}`);
    for (const id of ids) sandbox.production.add({ id, active: 1 });
    fault({ kind: 'status', status: 503, retryAfter: '3600' });
    const api = client();
    const answers = await Promise.all(ids.map((id) => api.setStatus(id, 0)));
    expect(answers.every((answer) => 'error' in answer)).toBe(true);
    // Requests that were already sent may have had an effect; the others have had none.
    expect(sandbox.requests.length).toBeLessThanOrEqual(8);
    const refused = answers.filter((answer) => answer.outcome === 'refused');
    expect(refused).toHaveLength(30 - sandbox.requests.length);
    expect(describeError(refused.at(-1)?.error)).toContain('asked for a pause');
  });
});

describe('an answer that is not the API’s', () => {
  it.each([
    ['HTML', { kind: 'body', body: '<!doctype html><html>hello</html>' }, /is not JSON \(text\/html, 33 bytes\)/],
    ['nothing', { kind: 'body', body: '' }, /is not JSON/],
    [
      'half of a list',
      { kind: 'body', body: '{"object":"list","data":[', contentType: 'application/json' },
      /is not JSON/,
    ],
    [
      'another shape',
      { kind: 'body', body: '{"items":[]}', contentType: 'application/json' },
      /is not the list of integrations: object is not "list"/,
    ],
    [
      'a bare array',
      { kind: 'body', body: '[]', contentType: 'application/json' },
      /is not the list of integrations: expected object/,
    ],
  ] as const)('%s: one sentence, not retried', async (_name, value, sentence) => {
    fault(value);
    const error: unknown = await client()
      .list()
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UnexpectedAnswerError);
    expect(describeError(error)).toMatch(sentence);
    expect(describeError(error)).not.toContain('\n');
    expect(sandbox.requests).toHaveLength(1);
  });

  it('50 megabytes: aborted at the limit', async () => {
    fault({ kind: 'oversize', bytes: 50 * 1024 * 1024 });
    await expect(client().list()).rejects.toThrow(
      "Qonversion's answer about the list of integrations is larger than 12 MiB and was not read to its end",
    );
  });

  it('silence: aborted after the time limit of a try', async () => {
    fault({ kind: 'silence' });
    const api = client({ timeoutMs: 50, retries: 1 });
    await expect(api.list()).rejects.toThrow('no answer within 50 ms');
    // A busy server may not have read a request that was aborted.
    expect(api.traffic.requests).toBe(2);
  });

  it('a slow body: the time limit covers it', async () => {
    fault({ kind: 'drip', everyMs: 20 });
    await expect(client({ timeoutMs: 100, retries: 0 }).list()).rejects.toThrow('no answer within 100 ms');
  });
});

describe('law 4: the key is sent only to the API', () => {
  let elsewhere: Server;
  let seen: number;

  beforeEach(async () => {
    seen = 0;
    elsewhere = createServer((_request, response) => {
      seen += 1;
      response.end('{}');
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  });

  afterEach(() => new Promise<void>((resolve) => elsewhere.close(() => resolve())));

  it.each([301, 302, 307, 308])('a redirect (%i) is refused', async (status) => {
    const location = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/steal`;
    fault({ kind: 'status', status, headers: { location } });
    await expect(client().list()).rejects.toThrow(`with a redirect (${status}), which is not followed; check apiUrl`);
    expect(seen).toBe(0);
  });

  it('is sent as the documented header', async () => {
    await client().list();
    expect(sandbox.requests[0]?.authorization).toBe(`Bearer ${PRODUCTION_KEY}`);
  });

  it('is in no error message, even if the API sends it back', async () => {
    fault({
      kind: 'status',
      status: 422,
      body: JSON.stringify({ error: { message: `bad header Bearer ${PRODUCTION_KEY}` } }),
    });
    const error: unknown = await client()
      .list()
      .catch((reason: unknown) => reason);
    expect(JSON.stringify(error) + String(error) + describeError(error)).not.toContain(PRODUCTION_KEY.slice(3));
  });

  it('prints as a placeholder wherever it ends up', async () => {
    const { inspect } = await import('node:util');
    const key = parseSecretKey(PRODUCTION_KEY, 'the secret', 'fill it');
    const shown = [
      String(key),
      JSON.stringify({ key }),
      inspect({ key }),
      inspect(key, { showHidden: true, depth: 9 }),
      `${key}`,
    ];
    for (const text of shown) expect(text).not.toContain(PRODUCTION_KEY);
  });
});
