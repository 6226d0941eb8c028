import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { IntegrationsApi } from '../../functions/guard/ports.ts';
import { createQonversionClient } from '../../functions/qonversion/client.ts';
import { SecretKey } from '../../functions/qonversion/secret-key.ts';
import { PRODUCTION_KEY, type Sandbox, startSandbox } from '../../functions/sandbox/server.ts';
import { World } from '../../functions/sandbox/world.ts';
import { createWorldApi } from '../support/memory-ports.ts';

/** The contract of every integrations API, in memory and over HTTP. */

let sandbox: Sandbox;
let world: World;

beforeAll(async () => {
  sandbox = await startSandbox();
});

afterAll(() => sandbox.close());

const implementations: readonly {
  readonly name: string;
  readonly create: () => { api: IntegrationsApi; world: World };
}[] = [
  {
    name: 'in memory',
    create: () => {
      const own = new World();
      return { api: createWorldApi(own), world: own };
    },
  },
  {
    name: 'over HTTP',
    create: () => {
      for (const { id } of sandbox.production.list()) sandbox.production.delete(id);
      const key = new SecretKey(PRODUCTION_KEY);
      const source = { get: async () => key, renew: async () => key };
      const api = createQonversionClient({
        apiUrl: sandbox.url,
        key: source,
        clock: { now: () => sandbox.production.now() },
        remainingMs: () => 60_000,
        firstWaitMs: 1,
      });
      return { api, world: sandbox.production };
    },
  },
];

describe.each(implementations)('an integrations API $name', ({ create }) => {
  let api: IntegrationsApi;

  beforeEach(() => {
    ({ api, world } = create());
    world.add({ id: 'a', active: 1 });
    world.add({ id: 'b', provider: 'segment', platform: 'Stripe' });
  });

  it('lists every record with the API’s own field names', async () => {
    const { records, invalid } = await api.list();
    expect(invalid).toEqual([]);
    expect(records).toMatchObject([
      {
        id: 'a',
        integration: 'Amplitude',
        target_platform: 'iOS',
        active: 1,
        last_delivery_at: null,
        delivery_error_count: 0,
      },
      { id: 'b', integration: 'Segment', target_platform: 'Stripe', active: 0 },
    ]);
  });

  it('reports an invalid record beside the valid ones', async () => {
    world.patch('a', { delivery_error_count: -1 });
    const { records, invalid } = await api.list();
    expect(records.map(({ id }) => id)).toEqual(['b']);
    expect(invalid).toEqual([{ id: 'a', problem: 'delivery_error_count is not 0 or more' }]);
  });

  it('sets a state and returns the changed record', async () => {
    world.advance(3);
    const answer = await api.setStatus('a', 0);
    const record = { id: 'a', active: 0, updated_at: world.get('a')?.updated_at };
    expect(answer).toMatchObject({ outcome: 'set', record });
    expect(world.get('a')?.active).toBe(0);
  });

  it('accepts a request for the same state twice', async () => {
    await api.setStatus('b', 1);
    expect(await api.setStatus('b', 1)).toMatchObject({ record: { active: 1 } });
  });

  it('reports when the state was set before the request', async () => {
    world.advance(10);
    expect(await api.setStatus('a', 0)).toMatchObject({ outcome: 'set' });
    world.advance(1);
    expect(await api.setStatus('a', 0)).toMatchObject({ outcome: 'already' });
  });

  it('reports that its clock agrees with this machine’s', async () => {
    expect(await api.list()).toMatchObject({ clockAheadMs: 0 });
  });

  it('refuses a request about an unknown integration', async () => {
    expect(await api.setStatus('nope', 1)).toMatchObject({ outcome: 'refused', error: { name: 'NotFoundError' } });
  });

  it('counts its requests', async () => {
    await api.list();
    await api.setStatus('a', 0);
    expect(api.traffic).toMatchObject({ requests: 2, retries: 0 });
  });
});
