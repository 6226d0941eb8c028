import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { groupPeople, kindOf } from '../../../functions/guard/settings/people.ts';
import { isQuietAt, isTimeZone, nameOfQuietHours } from '../../../functions/guard/settings/quiet-hours.ts';
import { parseSettings } from '../../../functions/guard/settings/schema.ts';

const at = (time: string) => new Date(`2026-11-23T${time}:00Z`);

describe('quiet hours', () => {
  it('begin with the first minute and end before the last', () => {
    const lunch = { from: '12:00', to: '13:30', timeZone: 'UTC' };
    expect(['11:59', '12:00', '13:29', '13:30'].map((time) => isQuietAt(lunch, at(time)))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it('last past midnight', () => {
    const night = { from: '22:00', to: '07:00', timeZone: 'UTC' };
    expect(['21:59', '22:00', '00:00', '06:59', '07:00'].map((time) => isQuietAt(night, at(time)))).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
  });

  it('follow the clock of their time zone, in summer and in winter', () => {
    const night = { from: '22:00', to: '07:00', timeZone: 'Europe/Berlin' };
    expect(isQuietAt(night, new Date('2026-01-10T06:30:00Z'))).toBe(false);
    expect(isQuietAt(night, new Date('2026-01-10T05:30:00Z'))).toBe(true);
    expect(isQuietAt(night, new Date('2026-07-10T05:30:00Z'))).toBe(false);
    expect(isQuietAt(night, new Date('2026-07-10T20:00:00Z'))).toBe(true);
  });

  it('end on every day of the year, in every time zone', () => {
    const minute = fc.integer({ min: 0, max: 24 * 60 - 1 });
    const text = (value: number) =>
      `${String(Math.floor(value / 60)).padStart(2, '0')}:${String(value % 60).padStart(2, '0')}`;
    const zones = [
      'UTC',
      'Europe/Berlin',
      'America/St_Johns',
      'Asia/Kathmandu',
      'Australia/Lord_Howe',
      'America/Sao_Paulo',
    ];
    fc.assert(
      fc.property(
        minute,
        minute,
        fc.constantFrom(...zones),
        fc.integer({ min: 0, max: 365 }),
        (from, to, timeZone, day) => {
          fc.pre(from !== to);
          const hours = { from: text(from), to: text(to), timeZone };
          const begin = Date.parse('2026-01-01T00:00:00Z') + day * 24 * 60 * 60_000;
          const minutes = Array.from({ length: 26 * 60 }, (_, index) => new Date(begin + index * 60_000));
          const states = new Set(minutes.map((moment) => isQuietAt(hours, moment)));
          // A change to summer time may skip what is shorter.
          const length = (to - from + 24 * 60) % (24 * 60);
          return (states.has(false) || length >= 23 * 60) && (states.has(true) || length <= 60);
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe('a time zone', () => {
  it.each(['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata'])('may be %s', (name) => {
    expect(isTimeZone(name)).toBe(true);
  });

  it.each(['', 'Berlin', '+02:00', 'Europe/Nowhere', 'UTC+2', 'utc', 'europe/berlin', 'Europe/berlin'])(
    'may not be "%s"',
    (name) => {
      expect(isTimeZone(name)).toBe(false);
    },
  );
});

describe('people', () => {
  const settings = (subscriptions: readonly object[]) =>
    parseSettings({
      projects: { a: { secretName: 'a' }, b: { secretName: 'b' } },
      alerts: { subscriptions },
    }).alerts.subscriptions;

  it('form one group if only their severities differ', () => {
    const groups = groupPeople(
      settings([{ email: 'a@example.com' }, { sms: '+15551230000', minSeverity: 'critical' }, { sqs: QUEUE }]),
    );
    expect(groups).toEqual([{ kind: 'digest', only: null, quietHours: null, projects: null }]);
  });

  it('with preferences form groups of their own, beside the one without', () => {
    const quietHours = { from: '22:00', to: '07:00', timeZone: 'UTC' };
    const subscriptions = settings([
      { email: 'a@example.com', projects: ['a'] },
      { email: 'b@example.com', projects: ['b', 'a'] },
      { email: 'c@example.com', only: 'daily-summary' },
      { email: 'd@example.com', quietHours: { from: '22:00', to: '07:00' } },
      { email: 'e@example.com', only: 'alarms' },
    ]);
    expect(groupPeople(subscriptions)).toEqual([
      { kind: 'digest', only: null, quietHours: null, projects: null },
      { kind: 'project-digest', only: null, quietHours: null, projects: ['a', 'b'] },
      { kind: 'daily-summary', only: 'daily-summary', quietHours: null, projects: null },
      { kind: `digest ${nameOfQuietHours(quietHours)}`, only: null, quietHours, projects: null },
    ]);
  });

  it('get exactly the kind of their group', () => {
    const subscriptions = settings([
      { email: 'a@example.com', projects: ['a'], quietHours: { from: '22:00', to: '07:00', timeZone: 'Asia/Kolkata' } },
      { email: 'b@example.com' },
    ]);
    const kinds = new Set(groupPeople(subscriptions).map(({ kind }) => kind));
    for (const each of subscriptions) expect(kinds).toContain(kindOf(each));
  });
});

const QUEUE = 'arn:aws:sqs:eu-west-1:123456789012:events';
