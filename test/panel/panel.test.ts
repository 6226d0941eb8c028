import { describe, expect, it } from 'vitest';
import { type GuardEvent, makeEvent } from '../../functions/guard/model/event.ts';
import { type EventType, HISTORY_HEADING } from '../../functions/guard/model/event-catalogue.ts';
import { html } from '../../functions/panel/html.ts';
import { parsePanelInput } from '../../functions/panel/input.ts';
import { TIMELINE_DAYS, timelineOf } from '../../functions/panel/timeline.ts';
import { createView, type PanelRow, USUAL_CHOICE } from '../../functions/panel/view.ts';
import { minutesAfter, minutesBefore, NOON } from '../support/builders.ts';
import { addBusy, createHarness, type Harness } from '../support/harness.ts';
import { ACT_ARN, LOOK_ARN, openDoors } from './doors.ts';
import { badDay } from './scenes.ts';

describe('a request to the panel', () => {
  const projects = { projects: ['production', 'staging'], fleet: false };

  it('asks for a page of a deployed project', () => {
    expect(
      parsePanelInput({ project: 'staging', widgetContext: { theme: 'dark', forms: { all: {} } } }, projects),
    ).toEqual({
      wants: 'panel',
      project: 'staging',
      reader: { theme: 'dark', choice: USUAL_CHOICE, fleet: false },
    });
  });

  it('needs no name when there is one project', () => {
    expect(parsePanelInput({ widgetContext: {} }, { projects: ['only'], fleet: false })).toMatchObject({
      wants: 'panel',
      project: 'only',
    });
    expect(parsePanelInput({ widgetContext: {} }, projects)).toBeNull();
  });

  it('asks for a description, for the console', () => {
    expect(parsePanelInput({ describe: true, widgetContext: {} }, projects)).toEqual({ wants: 'description' });
  });

  it.each(['pause', 'resume', 'ignore', 'unignore'])('can %s an integration by its id', (action) => {
    expect(parsePanelInput({ project: 'production', action, id: 'a.b_c-1' }, projects)).toMatchObject({
      wants: 'action',
      action,
      id: 'a.b_c-1',
    });
  });

  it.each([
    null,
    undefined,
    42,
    'production',
    [],
    {},
    { describe: 'yes' },
    { project: 'other' },
    { project: '__proto__' },
    { project: 'constructor' },
    { project: ['production'] },
    { project: 'production', settings: { errorThreshold: 1 } },
    { project: 'production', action: 'delete', id: 'x' },
    { project: 'production', action: 'force', id: 'x' },
    { project: 'production', action: 'run', id: 'x' },
    { project: 'production', action: 'run', force: true },
    { project: 'production', action: 'pause' },
    { project: 'production', action: 'pause', id: '' },
    { project: 'production', action: 'pause', id: '..' },
    { project: 'production', action: 'pause', id: '../staging' },
    { project: 'production', action: 'pause', id: 'x?status=1' },
    { project: 'production', action: 'pause', id: '<b>x</b>' },
    { project: 'production', action: 'pause', id: 'x'.repeat(300) },
    { project: 'production', action: 'pause', id: { id: 'x' } },
    { project: 'production', action: 'pause', id: 'x', apiUrl: 'https://evil.example' },
    { project: 'production', action: 'ignore', id: 'x', ignoreForMinutes: 1e9 },
    { action: 'pause', id: 'x' },
  ])('is nothing when it is %j', (event) => {
    expect(parsePanelInput(event, projects)).toBeNull();
  });

  it.each([
    null,
    'light',
    { theme: '"><script>' },
    { theme: 'dark"', forms: 'none' },
    { forms: { all: { find: ['x'], show: 'everything', sort: 1 } } },
    { forms: { all: { find: 'x'.repeat(1_000) } } },
  ])('is as usual when the widget’s context is %j', (widgetContext) => {
    expect(parsePanelInput({ project: 'production', widgetContext }, projects)).toMatchObject({
      reader: { theme: 'light', choice: USUAL_CHOICE },
    });
  });
});

describe('the functions of the panel', () => {
  const sentence = (page: string) => /role="alert">([^<]*)</.exec(page)?.[1];

  it('are two: the one that only reads cannot act, even if a request asks for it', async () => {
    const harness = createHarness();
    addBusy(harness, 'amp-ios');
    const { look } = openDoors(harness);
    const answer = await look({ project: 'production', action: 'pause', id: 'amp-ios' });
    expect(sentence(answer)).toContain('This widget takes {&quot;project&quot;: NAME}');
    expect(harness.world.get('amp-ios')?.active).toBe(1);
    expect(harness.ledger.calls.writes).toBe(0);
  });

  it('call the acting function for buttons, and the reading one for filters', async () => {
    const harness = createHarness();
    addBusy(harness, 'amp-ios');
    const page = await openDoors(harness).look({ project: 'production' });
    const actions = [...page.matchAll(/endpoint="([^"]+)"( confirmation=)?[^>]*>([^<]*)</g)];
    expect(actions).toHaveLength(4);
    for (const [, endpoint, asks, parameters = ''] of actions) {
      const acts = parameters.includes('action');
      expect({ endpoint, asks: asks !== undefined }).toEqual({ endpoint: acts ? ACT_ARN : LOOK_ARN, asks: acts });
    }
  });

  it('draw without writing anything, even when there is something to do', async () => {
    const harness = createHarness();
    addBusy(harness, 'amp-ios');
    harness.world.breakDown('amp-ios', 'HTTP 503');
    harness.world.advance(60);
    const page = await openDoors(harness).look({ project: 'production' });
    expect(page).toContain('The guard pauses it in the next pass.');
    expect(harness.ledger.calls.writes).toBe(0);
    expect(harness.world.get('amp-ios')?.active).toBe(1);
  });

  it.each(['delete', 'pause everything', '<script>'])(
    'refuse the unknown action %j in one sentence',
    async (action) => {
      const harness = createHarness();
      addBusy(harness, 'amp-ios');
      const answer = await openDoors(harness).act({ project: 'production', action, id: 'amp-ios' });
      expect(sentence(answer)).toMatch(/^This function takes .* Nothing was done\.$/);
      expect(answer).not.toContain('<script>');
      expect(harness.api.traffic.requests).toBe(0);
    },
  );

  it('refuse an id that the project does not have: a forged one, or another project’s', async () => {
    const [harness, other] = [createHarness(), createHarness()];
    addBusy(harness, 'amp-ios');
    addBusy(other, 'theirs');
    for (const id of ['theirs', 'forged-1']) {
      const page = await openDoors(harness).act({ project: 'production', action: 'pause', id });
      expect(sentence(page)).toContain(`project &quot;production&quot; has no integration &quot;${id}&quot;`);
      expect(page).toContain('Everything works: 1 delivering');
    }
    expect(harness.ledger.calls.writes).toBe(0);
  });

  it('show the result of an action even when the panel cannot be drawn afterwards', async () => {
    const harness = createHarness();
    addBusy(harness, 'amp-ios');
    const list = harness.ports.api.list;
    let lists = 0;
    const api = {
      ...harness.api,
      traffic: harness.api.traffic,
      list: () => {
        lists += 1;
        return lists === 1 ? list() : Promise.reject(new Error('no answer'));
      },
    };
    const page = await openDoors({ ...harness, ports: { ...harness.ports, api } }).act({
      project: 'production',
      action: 'pause',
      id: 'amp-ios',
    });
    expect(page).toContain('amp-ios is paused');
    expect(sentence(page)).toContain('The panel cannot show project &quot;production&quot;: Error: no answer');
  });

  it('use the name of the history that messages use', async () => {
    const page = await openDoors(await badDay()).look({ project: 'production' });
    expect(page).toContain(`<summary>${HISTORY_HEADING}</summary>`);
    expect(HISTORY_HEADING).toContain(`${TIMELINE_DAYS} days`);
  });

  it('say why an action failed', async () => {
    const harness = createHarness();
    addBusy(harness, 'amp-ios');
    harness.ledger.failWith('no ledger today');
    expect(await openDoors(harness).act({ project: 'production', action: 'run' })).toContain('no ledger today');
  });
});

describe('a row of the panel', () => {
  const rowsOf = async (harness: Harness): Promise<Readonly<Record<string, PanelRow>>> => {
    const view = createView(
      harness.project,
      await harness.plan(),
      await harness.ledger.history('production', '2026-01-01T00:00:00.000Z'),
      USUAL_CHOICE,
    );
    return Object.fromEntries(view.rows.map((row) => [row.id, row]));
  };

  it('says its state, and what the policy does next, and when', async () => {
    const rows = await rowsOf(await badDay());
    const said = Object.fromEntries(
      Object.values(rows).map(({ id, state, nextAction }) => [id, `${state.word}; the guard ${nextAction.text}`]),
    );
    expect(said).toMatchObject({
      'amp-android': 'delivering; the guard has nothing to do',
      'af-android':
        'failing; the guard pauses it after 10 more failures, at 09:50 UTC at the earliest, unless a delivery succeeds',
      'seg-stripe': 'paused by the guard; the guard probes it at 11:30 UTC',
      'braze-ios': 'suspended by Qonversion; the guard probes it at 09:50 UTC',
      'mix-ios': 'probing; the guard ends probe 1 when deliveries continue, or pauses it again after 3 more failures',
      'hook-billing': 'flapping; the guard reports it, and does not pause it',
      'bq-export': 'paused by an operator; the guard leaves it paused',
      'ph-staging': 'draft; the guard leaves it paused',
      'slack-wins': 'failing; the guard leaves it alone until 2026-11-25 09:15 UTC',
    });
  });

  it('says since when it has that state', async () => {
    const rows = await rowsOf(await badDay());
    expect(rows['braze-ios']?.since).toBe('since 08:50 UTC, for 50 min');
    expect(rows['seg-stripe']?.since).toBe('since 09:30 UTC, for 10 min; 1 probe failed');
    expect(rows['mix-ios']?.since).toBe('since 09:25 UTC, for 15 min');
    expect(rows['af-android']?.since).toBe('since 09:30 UTC, for 10 min');
    expect(rows['hook-billing']?.since).toBe('since 07:20 UTC, for 2 h 20 min');
    expect(rows['amp-android']?.since).toBeNull();
  });

  it('predicts correctly: what it says happens at the time that it says', async () => {
    const harness = await badDay();
    const { 'af-android': failing, 'braze-ios': suspended } = await rowsOf(harness);
    expect(failing?.nextAction.at).toBe('2026-11-24T09:50:00.000Z');
    await harness.run(10);
    expect(harness.world.get('af-android')?.active).toBe(0);
    expect(suspended?.nextAction.at).toBe('2026-11-24T09:50:00.000Z');
    expect(harness.world.get('braze-ios')?.active).toBe(1);
  });

  it('in observe mode says what would happen', async () => {
    const harness = createHarness({ mode: 'observe' });
    addBusy(harness, 'amp-ios');
    harness.world.breakDown('amp-ios', 'HTTP 503');
    harness.world.advance(3);
    expect((await rowsOf(harness))['amp-ios']?.nextAction.text).toMatch(/^would pause it after 20 more failures/);
    harness.world.advance(60);
    expect((await rowsOf(harness))['amp-ios']?.nextAction.text).toBe('would pause it, but only observes');
  });

  it('has an operator’s pause and its end in its week, although no one was alerted', async () => {
    const rows = await rowsOf(await badDay());
    expect(rows['hook-crm']?.timeline.map(({ phase }) => phase)).toEqual(['delivering', 'operator', 'delivering']);
  });
});

describe('the week of an integration', () => {
  const WEEK = 7 * 24 * 60;
  const event = (type: EventType, minutesAgo: number): GuardEvent =>
    makeEvent({
      type,
      project: 'production',
      time: minutesBefore(NOON, minutesAgo),
      episode: `${minutesAgo}`,
      reason: 'because',
    });
  const phases = (
    events: readonly GuardEvent[],
    phase: 'delivering' | 'paused' | 'failing',
    since: string | null = null,
  ) => timelineOf(events, { phase, since }, NOON).map((segment) => segment.phase);

  it('has the present state throughout when nothing has happened', () => {
    expect(timelineOf([], { phase: 'delivering', since: null }, NOON)).toEqual([
      { phase: 'delivering', from: minutesBefore(NOON, WEEK), to: NOON, start: 0, width: 1 },
    ]);
  });

  it('has no gap and no overlap', () => {
    const events = [
      event('integration.paused', 3_000),
      event('integration.probing', 2_000),
      event('integration.recovered', 1_990),
    ];
    const segments = timelineOf(events, { phase: 'delivering', since: null }, NOON);
    expect(segments.map(({ phase }) => phase)).toEqual(['delivering', 'paused', 'probing', 'delivering']);
    segments.slice(1).forEach(({ from }, index) => {
      expect(from).toBe(segments[index]?.to);
    });
    expect(segments.reduce((sum, { width }) => sum + width, 0)).toBeCloseTo(1, 6);
  });

  it('shows the phase before its first event', () => {
    expect(phases([event('integration.reactivated', 100)], 'delivering')).toEqual(['paused', 'delivering']);
  });

  it('shows the present phase before an event reports it', () => {
    expect(phases([], 'failing', minutesBefore(NOON, 60))).toEqual(['delivering', 'failing']);
    expect(phases([event('integration.recovered', 500)], 'failing', minutesBefore(NOON, 60))).toEqual([
      'failing',
      'delivering',
      'failing',
    ]);
  });

  it('understands times with another offset', () => {
    // An hour ago, as written in a time zone two hours further east.
    const [delivering] = timelineOf([], { phase: 'failing', since: '2026-11-23T13:00:00+02:00' }, NOON);
    expect(delivering).toMatchObject({ phase: 'delivering', to: minutesBefore(NOON, 60) });
  });

  it('leaves out what is older, or from a clock that is ahead', () => {
    const ahead = { ...event('integration.paused', 0), time: minutesAfter(NOON, 10) };
    expect(phases([event('integration.paused', WEEK + 5), ahead], 'delivering')).toEqual(['delivering']);
  });

  it('begins a failure when it began, not when people were alerted', () => {
    const figures = {
      freshErrors: 60,
      baseline: 0,
      errorThreshold: 50,
      warnThreshold: 25,
      failingSince: minutesBefore(NOON, 400),
      failingMinutes: 100,
      failingForMinutes: 15,
    };
    const segments = timelineOf(
      [{ ...event('integration.paused', 300), figures }],
      { phase: 'paused', since: null },
      NOON,
    );
    expect(segments.map(({ phase, from }) => [phase, from])).toEqual([
      ['delivering', minutesBefore(NOON, WEEK)],
      ['failing', minutesBefore(NOON, 400)],
      ['paused', minutesBefore(NOON, 300)],
    ]);
  });
});

describe('the template', () => {
  it('escapes its inserts, for text and quoted attributes', () => {
    expect(html`<p title="${'"><b>'}">${"<i>'&"}</p>`.toString()).toBe(
      '<p title="&quot;&gt;&lt;b&gt;">&lt;i&gt;&#39;&amp;</p>',
    );
  });

  it('inserts its own markup unchanged, lists of it, and nothing for null', () => {
    expect(html`<ul>${[html`<li>${1}</li>`, null]}${null}</ul>`.toString()).toBe('<ul><li>1</li></ul>');
  });
});
