import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CATALOG } from '../../functions/sandbox/catalog.ts';
import { PRODUCTION_KEY, READ_ONLY_KEY, type Sandbox, startSandbox, TEST_KEY } from '../../functions/sandbox/server.ts';
import { World } from '../../functions/sandbox/world.ts';

/** The sandbox against the reference: the answers of the documented API, and the simulator of time. */

let sandbox: Sandbox;

beforeEach(async () => {
  sandbox = await startSandbox();
});

afterEach(() => sandbox.close());

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function call(
  method: string,
  path: string,
  options: { readonly key?: string | null; readonly body?: unknown; readonly headers?: Record<string, string> } = {},
): Promise<Answer> {
  const key = options.key === undefined ? PRODUCTION_KEY : options.key;
  const response = await fetch(`${sandbox.url}${path}`, {
    method,
    headers: { ...(key === null ? {} : { authorization: `Bearer ${key}` }), ...options.headers },
    ...(options.body === undefined
      ? {}
      : { body: typeof options.body === 'string' ? options.body : JSON.stringify(options.body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const NEW = { title: 'CRM', integration: 'webhooks', target_platform: 'iOS' };

describe('authentication', () => {
  it.each([null, 'sk_fake_wrong_key', '', 'test_sk_fake_wrong_key'])(
    'refuses key %j with 401 and the envelope',
    async (key) => {
      expect(await call('GET', '/integrations', { key })).toMatchObject({
        status: 401,
        body: { error: { type: 'request', code: 'control_unauthorized', message: expect.any(String) } },
      });
    },
  );

  it('gives production and sandbox keys separate data', async () => {
    await call('POST', '/integrations', { body: NEW });
    expect((await call('GET', '/integrations')).body.data).toHaveLength(1);
    expect((await call('GET', '/integrations', { key: TEST_KEY })).body.data).toHaveLength(0);
  });

  it('refuses a change by a key that may only read with 403', async () => {
    expect(await call('POST', '/integrations', { key: READ_ONLY_KEY, body: NEW })).toMatchObject({
      status: 403,
      body: { error: { code: 'control_forbidden' } },
    });
    expect((await call('GET', '/integrations', { key: READ_ONLY_KEY })).status).toBe(200);
  });

  it('revokes the old key on regeneration', async () => {
    sandbox.regenerateKey('sk_fake_next');
    expect((await call('GET', '/integrations')).status).toBe(401);
    expect((await call('GET', '/integrations', { key: 'sk_fake_next' })).status).toBe(200);
  });
});

describe('GET /integrations', () => {
  it('answers the documented list with documented records', async () => {
    await call('POST', '/integrations', { body: NEW });
    const { body } = await call('GET', '/integrations');
    expect(body).toMatchObject({ object: 'list', url: '/v4/integrations', has_more: false });
    expect(body.data).toEqual([
      {
        object: 'integration',
        id: expect.stringMatching(/^[A-Za-z0-9]{8}$/),
        url: expect.stringMatching(/^\/v4\/integrations\/[A-Za-z0-9]{8}$/),
        title: 'CRM',
        integration: 'Webhooks',
        target_platform: 'iOS',
        active: 0,
        created_at: '2026-11-23T09:00:00Z',
        updated_at: '2026-11-23T09:00:00Z',
        last_delivery_at: null,
        last_error_at: null,
        last_error_message: null,
        delivery_error_count: 0,
      },
    ]);
  });
});

describe('POST /integrations', () => {
  it('creates it paused, with 201', async () => {
    expect(await call('POST', '/integrations', { body: NEW })).toMatchObject({
      status: 201,
      body: { active: 0, integration: 'Webhooks' },
    });
  });

  it.each([
    [{ ...NEW, title: '' }, 'title'],
    [{ ...NEW, title: 'x'.repeat(256) }, 'title'],
    [{ ...NEW, integration: 'nobody' }, 'integration'],
    [{ ...NEW, target_platform: 'ios' }, 'target_platform'],
    [{ ...NEW, integration: 'searchads', target_platform: 'Android' }, 'target_platform'],
    [{ title: 'CRM', target_platform: 'iOS' }, 'integration'],
  ])('refuses %o with 422 and names the field', async (body, field) => {
    expect(await call('POST', '/integrations', { body })).toMatchObject({
      status: 422,
      body: { error: { code: 'invalid_data', details: [{ field }] } },
    });
  });

  it('refuses a body that is not JSON with 400', async () => {
    expect(await call('POST', '/integrations', { body: '{' })).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid_data' } },
    });
  });

  it('answers the same to the same Idempotency-Key, and 409 to another body under it', async () => {
    const headers = { 'idempotency-key': 'k1' };
    const first = await call('POST', '/integrations', { body: NEW, headers });
    expect(await call('POST', '/integrations', { body: NEW, headers })).toEqual(first);
    expect((await call('GET', '/integrations')).body.data).toHaveLength(1);
    expect(await call('POST', '/integrations', { body: { ...NEW, title: 'Other' }, headers })).toMatchObject({
      status: 409,
      body: { error: { code: 'already_exists' } },
    });
  });
});

describe('GET /integrations/meta', () => {
  it('lists every provider of the reference with its platforms', async () => {
    expect((await call('GET', '/integrations/meta')).body.data).toEqual(CATALOG);
    expect(Object.values(CATALOG).flat()).toHaveLength(25);
  });
});

describe('POST /integrations/{id}/status', () => {
  beforeEach(() => {
    sandbox.production.add({ id: 'gNl6hyM6' });
  });

  it('answers the whole updated record', async () => {
    sandbox.production.advance(10);
    expect(await call('POST', '/integrations/gNl6hyM6/status', { body: { status: 1 } })).toMatchObject({
      status: 200,
      body: { id: 'gNl6hyM6', active: 1, updated_at: '2026-11-23T09:10:00Z', delivery_error_count: 0 },
    });
  });

  it.each([{ status: 2 }, { status: '1' }, { status: null }, {}, { status: true }])(
    'refuses %o with 422',
    async (body) => {
      expect(await call('POST', '/integrations/gNl6hyM6/status', { body })).toMatchObject({
        status: 422,
        body: { error: { details: [{ field: 'status' }] } },
      });
    },
  );

  it('refuses an unknown or deleted integration', async () => {
    expect(await call('POST', '/integrations/nope/status', { body: { status: 1 } })).toMatchObject({
      status: 404,
      body: { error: { type: 'resource', code: 'not_found' } },
    });
    await call('DELETE', '/integrations/gNl6hyM6');
    expect((await call('POST', '/integrations/gNl6hyM6/status', { body: { status: 1 } })).status).toBe(404);
  });

  it('leaves the error count unchanged', async () => {
    sandbox.production.patch('gNl6hyM6', { delivery_error_count: 60 });
    await call('POST', '/integrations/gNl6hyM6/status', { body: { status: 1 } });
    expect(
      (await call('POST', '/integrations/gNl6hyM6/status', { body: { status: 0 } })).body.delivery_error_count,
    ).toBe(60);
  });
});

describe('DELETE /integrations/{id}', () => {
  it('removes it from the list permanently', async () => {
    sandbox.production.add({ id: 'a' });
    expect((await call('DELETE', '/integrations/a')).status).toBe(200);
    expect((await call('GET', '/integrations')).body.data).toEqual([]);
    expect((await call('DELETE', '/integrations/a')).status).toBe(404);
  });
});

describe('unknown URLs', () => {
  it.each(['/nothing', '/integrations/a', '/integrations/a/b/c'])('%s is refused with the envelope', async (path) => {
    expect(await call('GET', path)).toMatchObject({
      status: 400,
      body: { error: { type: 'request', code: 'invalid_request' } },
    });
  });
});

describe('the control API', () => {
  const control = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(`${sandbox.controlUrl}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  it('breaks, lets time pass, and switches faults', async () => {
    await control('POST', '/add', { id: 'a', active: 1, eventsPerMinute: 2 });
    await control('POST', '/break', { id: 'a', message: 'HTTP 500' });
    await control('POST', '/advance', { minutes: 3 });
    expect(sandbox.production.get('a')).toMatchObject({ delivery_error_count: 6, last_error_message: 'HTTP 500' });
    await control('POST', '/faults', { fault: { kind: 'status', status: 503 }, times: 1 });
    await control('POST', '/outage', { id: 'a', inMinutes: 10, minutes: 5 });
    expect((await call('GET', '/integrations')).status).toBe(503);
    expect((await call('GET', '/integrations')).status).toBe(200);
  });

  it('breaks a provider until it is repaired', async () => {
    await control('POST', '/add', { id: 'a', active: 1, eventsPerMinute: 2 });
    await control('POST', '/advance', { minutes: 10 });
    await control('POST', '/break', { id: 'a', message: 'HTTP 500' });
    await control('POST', '/advance', { minutes: 120 });
    expect(sandbox.production.get('a')).toMatchObject({ delivery_error_count: 240 });
    expect((await control('POST', '/repair', { id: 'a' })).status).toBe(200);
    await control('POST', '/advance', { minutes: 1 });
    expect(sandbox.production.get('a')).toMatchObject({ delivery_error_count: 0 });
  });

  it('breaks a provider as if it had failed for hours', async () => {
    await control('POST', '/add', { id: 'a', active: 1, eventsPerMinute: 2 });
    await control('POST', '/advance', { minutes: 10 });
    const { body } = await control('POST', '/break', { id: 'a', message: 'HTTP 401', hoursAgo: 2 });
    expect(body).toMatchObject({
      last_delivery_at: '2026-11-23T07:10:00Z',
      last_error_at: '2026-11-23T09:10:00Z',
      last_error_message: 'HTTP 401',
      delivery_error_count: 240,
      created_at: '2026-11-23T07:10:00Z',
    });
    await control('POST', '/advance', { minutes: 1 });
    expect(sandbox.production.get('a')).toMatchObject({ delivery_error_count: 242 });
  });

  it('says what is wrong with a command', async () => {
    expect(await control('POST', '/break', { id: 'nope' })).toMatchObject({
      status: 400,
      body: { error: 'the sandbox has no integration "nope"' },
    });
    expect(await control('POST', '/break', { id: 'nope', hoursAgo: -1 })).toMatchObject({ status: 400 });
    expect(await control('POST', '/dance')).toMatchObject({
      status: 400,
      body: { error: 'the sandbox has no command "POST /dance"' },
    });
    const notJson = await fetch(`${sandbox.controlUrl}/break`, { method: 'POST', body: '{' });
    expect(await notJson.json()).toEqual({ error: expect.stringContaining('JSON') });
  });
});

describe('the simulator', () => {
  const world = () => {
    const made = new World({ suspendAfterErrors: 20, suspendAfterMinutes: 10 });
    made.add({ id: 'a', active: 1, eventsPerMinute: 1 });
    return made;
  };

  it('delivers while the provider is up: the count is 0 and last_delivery_at moves', () => {
    const made = world();
    made.advance(5);
    expect(made.get('a')).toMatchObject({
      delivery_error_count: 0,
      last_delivery_at: '2026-11-23T09:05:00Z',
      last_error_at: null,
    });
  });

  it('counts failures while it is down, and one delivery resets the count', () => {
    const made = world();
    made.advance(1);
    made.breakDown('a', 'HTTP 401');
    made.advance(4);
    expect(made.get('a')).toMatchObject({
      delivery_error_count: 4,
      last_delivery_at: '2026-11-23T09:01:00Z',
      last_error_at: '2026-11-23T09:05:00Z',
    });
    made.repair('a');
    made.advance(1);
    expect(made.get('a')).toMatchObject({
      delivery_error_count: 0,
      last_delivery_at: '2026-11-23T09:06:00Z',
      last_error_message: 'HTTP 401',
    });
  });

  it('plays outages that begin and end automatically', () => {
    const made = world();
    made.planOutage('a', 'HTTP 503', 3, 4);
    made.advance(2);
    expect(made.get('a')).toMatchObject({ delivery_error_count: 0 });
    made.advance(4);
    expect(made.get('a')).toMatchObject({ delivery_error_count: 4, last_error_message: 'HTTP 503' });
    made.advance(1);
    expect(made.get('a')).toMatchObject({ delivery_error_count: 0, last_delivery_at: '2026-11-23T09:07:00Z' });
  });

  it('does not treat a delivery as a change of the integration', () => {
    const made = world();
    made.advance(30);
    expect(made.get('a')?.updated_at).toBe('2026-11-23T09:00:00Z');
  });

  it('lets a share of the events fail while the provider is up: each success resets the count', () => {
    const made = new World();
    made.add({ id: 'a', active: 1, eventsPerMinute: 10 });
    made.setFlaky('a', 0.9);
    made.advance(300);
    const { delivered = 0, failed = 0 } = made.tally('a') ?? {};
    expect(delivered + failed).toBe(3_000);
    expect(failed / 3_000).toBeCloseTo(0.9, 1);
    // Failures since the last success, of which one in ten is followed by another success.
    expect(made.get('a')?.delivery_error_count).toBeLessThan(100);
    made.setFlaky('a', 0);
    made.advance(1);
    expect(made.get('a')?.delivery_error_count).toBe(0);
  });

  it('forwards nothing while paused', () => {
    const made = world();
    made.setStatus('a', 0);
    made.advance(7);
    expect(made.tally('a')).toEqual({ delivered: 0, failed: 0, withheld: 7, doomed: 0 });
    expect(made.get('a')).toMatchObject({ delivery_error_count: 0, last_delivery_at: null });
  });

  it('suspends with 2 after enough failures over enough time, and a caller can end that', () => {
    const made = world();
    made.setTraffic('a', 4);
    made.breakDown('a', 'HTTP 410');
    made.advance(10);
    expect(made.get('a')?.active).toBe(1);
    made.advance(1);
    expect(made.get('a')?.active).toBe(2);
    made.setStatus('a', 1);
    expect(made.get('a')).toMatchObject({ active: 1, delivery_error_count: 44 });
  });

  it('adds fractions of events up', () => {
    const made = world();
    made.setTraffic('a', 0.25);
    made.advance(9);
    expect(made.tally('a').delivered).toBe(2);
  });

  it('never uses an id twice', () => {
    const made = new World();
    const first = made.add();
    made.delete(first.id);
    const ids = Array.from({ length: 200 }, () => made.add().id);
    expect(new Set([...ids, first.id]).size).toBe(201);
  });
});
