import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDynamoSpool, type Send, type Spool } from '../../functions/aws/spool.ts';
import { type GuardEvent, makeEvent } from '../../functions/guard/model/event.ts';
import { DIGEST_TIME_LIMIT_SECONDS } from '../../functions/guard/model/lease.ts';
import { type DynamoEmulator, LEDGER_TABLE, startDynamo } from '../support/aws-emulators.ts';
import { aFailingRecord, minutesAfter, NOON } from '../support/builders.ts';
import { createTestClock } from '../support/memory-ports.ts';

/** Alerts that wait for a release are sent together, at least once, and by one process at a time. */

let dynamo: DynamoEmulator;
let audience: string;
const clock = createTestClock();

beforeAll(async () => {
  dynamo = await startDynamo();
});

afterAll(() => dynamo.stop());

beforeEach(() => {
  clock.set(NOON);
  audience = `people-${Math.random()}`;
});

const open = (): Spool => createDynamoSpool(dynamo.client, LEDGER_TABLE, clock);

function anAlert(id: string, time = NOON): GuardEvent {
  const record = aFailingRecord(61, 48, { id });
  return makeEvent({ type: 'integration.paused', project: 'acme', time, episode: time, reason: '61 failures', record });
}

const idsOf = (events: readonly GuardEvent[]) => new Set(events.map(({ id }) => id));

/** Accepts everything and remembers it. */
function receiver(): { readonly send: Send; readonly got: (readonly string[])[] } {
  const got: (readonly string[])[] = [];
  return {
    got,
    send: async (events) => {
      got.push(events.map(({ record }) => record?.id ?? ''));
      return idsOf(events);
    },
  };
}

describe('a release', () => {
  it('sends everything that waits for it, oldest first, in one call, and only once', async () => {
    const spool = open();
    await spool.add('run', audience, [anAlert('b', minutesAfter(NOON, 1)), anAlert('a')]);
    await spool.add('run', audience, [anAlert('c', minutesAfter(NOON, 2))]);
    const { send, got } = receiver();
    expect(await spool.release('run', audience, send)).toBe(0);
    expect(await spool.release('run', audience, send)).toBe(0);
    expect(got).toEqual([['a', 'b', 'c']]);
  });

  it('sends an alert that was added twice once', async () => {
    const spool = open();
    await spool.add('run', audience, [anAlert('a'), anAlert('a')]);
    await spool.add('run', audience, [anAlert('a')]);
    const { send, got } = receiver();
    await spool.release('run', audience, send);
    expect(got).toEqual([['a']]);
  });

  it('leaves alerts of other releases and audiences', async () => {
    const spool = open();
    await spool.add('22:00-07:00 UTC', audience, [anAlert('night')]);
    await spool.add('run', `${audience}-other`, [anAlert('other')]);
    const { send, got } = receiver();
    await spool.release('run', audience, send);
    expect(got).toEqual([]);
    await spool.release('22:00-07:00 UTC', audience, send);
    expect(got).toEqual([['night']]);
  });

  it('keeps what was not accepted for the next one', async () => {
    const spool = open();
    const [first, second] = [anAlert('a'), anAlert('b', minutesAfter(NOON, 1))];
    await spool.add('run', audience, [first, second]);
    expect(await spool.release('run', audience, async () => new Set([first.id]))).toBe(1);
    const { send, got } = receiver();
    await spool.release('run', audience, send);
    expect(got).toEqual([['b']]);
  });

  it('that fails in the middle loses nothing', async () => {
    const spool = open();
    await spool.add('run', audience, [anAlert('a')]);
    const died = spool.release('run', audience, () => Promise.reject(new Error('killed')));
    await expect(died).rejects.toThrow('killed');
    const { send, got } = receiver();
    await spool.release('run', audience, send);
    expect(got).toEqual([['a']]);
  });

  it('does nothing while another process releases the same alerts', async () => {
    await open().add('run', audience, [anAlert('a')]);
    const { send, got } = receiver();
    await open().release('run', audience, async (events) => {
      expect(await open().release('run', audience, send)).toBe(1);
      return idsOf(events);
    });
    expect(got).toEqual([]);
  });

  it('of a process that was killed is repeated when its time is over', async () => {
    await open().add('run', audience, [anAlert('a')]);
    const killed = open().release('run', audience, () => new Promise(() => undefined));
    const { send, got } = receiver();
    const others = async () => {
      while (got.length === 0) {
        clock.advance(1);
        await open().release('run', audience, send);
      }
    };
    await others();
    expect(got).toEqual([['a']]);
    const minutes = (clock.now().getTime() - Date.parse(NOON)) / 60_000;
    expect(minutes).toBeGreaterThanOrEqual(DIGEST_TIME_LIMIT_SECONDS / 60);
    expect(minutes).toBeLessThan(10);
    void killed;
  });

  it('of a thousand alerts sends every one', async () => {
    const spool = open();
    const alerts = Array.from({ length: 1_000 }, (_, index) => anAlert(`i${index}`));
    await spool.add('run', audience, alerts);
    const { send, got } = receiver();
    expect(await spool.release('run', audience, send)).toBe(0);
    expect(got).toHaveLength(1);
    expect(new Set(got[0]).size).toBe(1_000);
    await spool.release('run', audience, send);
    expect(got).toHaveLength(1);
  });
});
