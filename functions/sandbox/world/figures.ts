import { CLASSES, type Life, type Reported } from './life.ts';

/** The figures of the lives under one policy, as rows that a person compares. */

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
  /** A number to compare; null: no data. Infinite: never. */
  readonly value: number | null;
  readonly text: string;
}

const DELIVERED = 'delivered, compared with observe mode';
const DOOMED = 'of the withheld events, would have failed anyway';

/** Law 8, in percent: the smallest share delivered, compared with observe mode, and the smallest share of withheld events that would have failed anyway. */
const LAW_8: Readonly<Record<string, number>> = { [DELIVERED]: 99.5, [DOOMED]: 50 };

/** The demands of law 8 that these figures do not reach, one sentence each. */
export function harmDone(figures: readonly Figure[]): readonly string[] {
  return figures.flatMap(({ label, value, text }) => {
    const least = LAW_8[label];
    return least === undefined || value === null || value >= least
      ? []
      : [`${label}: ${text}, at least ${least} % expected`];
  });
}

/** Figures are for 30 days of one project, as the mean over the seeds, unless the label says otherwise. */
export function figuresOf({ enforced, observed }: Lives): readonly Figure[] {
  const days = sum(enforced, ({ days }) => days);
  const per30Days = (of: (life: Life) => number) => (sum(enforced, of) * 30) / days;
  const withheld = sum(enforced, (life) => life.withheld);
  const doomed = sum(enforced, (life) => life.doomed);
  const events = sum(enforced, (life) => life.delivered + life.failed + life.withheld + life.withheldByOthers);
  const delivered = sum(enforced, (life) => life.delivered);
  const observedDeliveries = sum(observed, (life) => life.delivered);
  const lostShares = enforced.flatMap((life) => life.lostShares);
  const mails = enforced.flatMap(({ mailsPerDay }) => mailsPerDay);
  const eventsCounted = enforced.filter(({ counts }) => counts === 'events');
  return [
    count(
      'pauses',
      per30Days(({ pauses }) => pauses),
    ),
    count(
      'pauses of integrations that recover within 60 minutes',
      per30Days(({ falsePauses }) => falsePauses),
    ),
    count(
      'pauses of true breaks',
      per30Days(({ breakPauses }) => breakPauses),
    ),
    count('pauses during provider-wide outages, per 90 days', 3 * per30Days((life) => life.providerOutagePauses)),
    count("pauses during Qonversion's outages, per 90 days", 3 * per30Days((life) => life.qonversionOutagePauses)),
    count(
      'true breaks',
      per30Days(({ breaks }) => breaks),
    ),
    share(
      'true breaks above 100 events a day, every delivery failing, unrepaired for a day: paused',
      sum(enforced, ({ breaksPaused }) => breaksPaused),
      sum(enforced, ({ breaksToPause }) => breaksToPause),
    ),
    share("events lost to the guard's pauses", withheld - doomed, events),
    // Most events are those of the two or three largest, so chance decides much of the row above.
    share('the same, each integration with equal weight', total(lostShares), lostShares.length),
    share(DELIVERED, delivered, observedDeliveries),
    share(DOOMED, doomed, withheld),
    count(
      'hours paused although deliveries would arrive',
      per30Days((life) => life.hoursPausedInVain),
    ),
    count('mails a day', total(mails) / mails.length),
    count('mails a day, 99th percentile', quantile(mails, 0.99)),
    ...firstAlerts('', enforced),
    // Where retries count too, a count says less about the events behind it, and alerts come sooner.
    ...firstAlerts(', retries not counted', eventsCounted),
    reported('partial outages of an hour or more, at least 80 % failing: reported', enforced, ({ severe }) => severe),
    reported('partial outages of an hour or more, at most 20 % failing: reported', enforced, ({ mild }) => mild),
    count('ledger writes a day', sum(enforced, ({ ledgerWrites }) => ledgerWrites) / days),
    count('API requests per pass', sum(enforced, ({ requests }) => requests) / sum(enforced, ({ passes }) => passes)),
    share(
      'quiet passes: one request and no write',
      sum(enforced, ({ quietPasses }) => quietPasses),
      sum(enforced, ({ passes }) => passes),
    ),
  ];
}

/** A figure that a program finds by its name. */
export interface NamedFigure extends Figure {
  readonly name: string;
}

/** The few figures that decide about a policy, for 30 days of one project, the mean over the lives. */
export function summaryOf(lives: readonly Life[]): readonly NamedFigure[] {
  const days = sum(lives, (life) => life.days);
  const per30Days = (of: (life: Life) => number) => (sum(lives, of) * 30) / days;
  const lost = (life: Life) => life.withheld - life.doomed;
  const mails = lives.flatMap(({ mailsPerDay }) => mailsPerDay);
  const alertHours = lives.flatMap(({ firstAlertHours }) => Object.values(firstAlertHours).flat());
  return [
    {
      name: 'pauses',
      ...count(
        'pauses',
        per30Days((life) => life.pauses),
      ),
    },
    {
      name: 'falsePauses',
      ...count(
        'false pauses: deliveries work again within 60 minutes',
        per30Days((life) => life.falsePauses),
      ),
    },
    {
      name: 'eventsWithheld',
      ...count(
        'events withheld by pauses',
        per30Days((life) => life.withheld),
      ),
    },
    { name: 'eventsLost', ...count('events lost to pauses: they would have arrived', per30Days(lost)) },
    {
      name: 'percentLost',
      ...share(
        'events lost to pauses, of all events',
        sum(lives, lost),
        sum(lives, (life) => life.delivered + life.failed + life.withheld + life.withheldByOthers),
      ),
    },
    {
      name: 'hoursPausedInVain',
      ...count(
        'hours paused although deliveries would arrive',
        per30Days((life) => life.hoursPausedInVain),
      ),
    },
    { name: 'mailsPerDay', ...count('mails a day', total(mails) / mails.length) },
    { name: 'mailsPerDay99', ...count('mails a day, 99th percentile', quantile(mails, 0.99)) },
    {
      name: 'breaks',
      ...count(
        'true breaks',
        per30Days((life) => life.breaks),
      ),
    },
    { name: 'firstAlertHours', ...medianHours('first alert of a true break: median', alertHours) },
  ];
}

function firstAlerts(about: string, lives: readonly Life[]): readonly Figure[] {
  return CLASSES.map((name) => {
    const hours = lives.flatMap(({ firstAlertHours }) => firstAlertHours[name]);
    const label = `first alert of a true break, ${name} events a day${about}: median`;
    return medianHours(label, hours);
  });
}

function medianHours(label: string, hours: readonly number[]): Figure {
  const value = hours.length === 0 ? null : quantile(hours, 0.5);
  return { label, value, text: describeHours(value) };
}

function count(label: string, value: number): Figure {
  return { label, value, text: round(value) };
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

function total(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
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
