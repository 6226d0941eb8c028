import { CLASSES, type Life, type Reported } from './life.ts';

/** What the lives under one policy came to, as rows that a person compares. */

/** One policy: what it does, and what it only reports. */
export interface Lives {
  readonly name: string;
  /** One for each seed. */
  readonly enforced: readonly Life[];
  /** The same seeds under the same policy in observe mode. */
  readonly observed: readonly Life[];
}

export interface Figure {
  readonly label: string;
  /** A number to compare; null when there was nothing to measure it by. Infinite: never. */
  readonly value: number | null;
  readonly text: string;
}

/** Everything is for 30 days of one project, the mean over the seeds, unless the label says otherwise. */
export function figuresOf({ enforced, observed }: Lives): readonly Figure[] {
  const days = sum(enforced, ({ days }) => days);
  const per30Days = (of: (life: Life) => number) => (sum(enforced, of) * 30) / days;
  const withheld = sum(enforced, (life) => life.withheld);
  const doomed = sum(enforced, (life) => life.doomed);
  const events = sum(enforced, (life) => life.delivered + life.failed + life.withheld + life.withheldByOthers);
  const delivered = sum(enforced, (life) => life.delivered);
  const observedDeliveries = sum(observed, (life) => life.delivered);
  const mails = enforced.flatMap(({ mailsPerDay }) => mailsPerDay);
  const count = (label: string, value: number): Figure => ({ label, value, text: round(value) });
  return [
    count(
      'pauses',
      per30Days(({ pauses }) => pauses),
    ),
    count(
      'pauses of what heals within 60 minutes',
      per30Days(({ falsePauses }) => falsePauses),
    ),
    count(
      "pauses during a provider's or Qonversion's outage",
      per30Days((life) => life.sharedOutagePauses),
    ),
    share(
      'true breaks above 100 events a day, unrepaired for a day: paused',
      sum(enforced, ({ breaksPaused }) => breaksPaused),
      sum(enforced, ({ breaksToPause }) => breaksToPause),
    ),
    share('events lost to our pauses', withheld - doomed, events),
    share('delivered, of what observe delivers', delivered, observedDeliveries),
    share('of what is withheld, would have failed anyway', doomed, withheld),
    count(
      'hours paused although deliveries would arrive',
      per30Days((life) => life.hoursPausedInVain),
    ),
    count('mails a day', mean(mails)),
    count('mails a day, 99th percentile', quantile(mails, 0.99)),
    ...CLASSES.map((name): Figure => {
      const hours = enforced.flatMap(({ firstAlertHours }) => firstAlertHours[name]);
      const label = `first alert of a true break, ${name} events a day: median`;
      const value = hours.length === 0 ? null : quantile(hours, 0.5);
      return { label, value, text: describeHours(value) };
    }),
    reported('partial outages of an hour or more, at least 80 % failing: reported', enforced, ({ severe }) => severe),
    reported('partial outages of an hour or more, at most 20 % failing: reported', enforced, ({ mild }) => mild),
    count('ledger writes a day', sum(enforced, ({ ledgerWrites }) => ledgerWrites) / days),
    count('API requests per pass', sum(enforced, ({ requests }) => requests) / sum(enforced, ({ passes }) => passes)),
  ];
}

function reported(label: string, lives: readonly Life[], of: (life: Life) => Reported): Figure {
  const episodes = sum(lives, (life) => of(life).episodes);
  return share(
    label,
    sum(lives, (life) => of(life).reported),
    episodes,
  );
}

function share(label: string, part: number, whole: number): Figure {
  if (whole === 0) return { label, value: null, text: '–' };
  const percent = (part / whole) * 100;
  return { label, value: percent, text: `${percent.toFixed(percent > 99 || percent < 1 ? 2 : 1)} %` };
}

function sum(lives: readonly Life[], of: (life: Life) => number): number {
  return lives.reduce((total, life) => total + of(life), 0);
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

function round(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(1);
}

function describeHours(hours: number | null): string {
  if (hours === null) return '–';
  if (!Number.isFinite(hours)) return 'never';
  return hours < 72 ? `${hours.toFixed(1)} h` : `${(hours / 24).toFixed(1)} d`;
}
