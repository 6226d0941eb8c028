import type { Entry, SharedOutage, Stretch } from '../model/entry.ts';
import type { IntegrationRecord } from '../model/integration.ts';
import { isAhead } from '../model/lease.ts';
import type { LedgerView } from '../ports.ts';
import type { Policy } from '../settings/schema.ts';
import { plural, safeText } from '../text/sanitize.ts';
import {
  describeMinutes,
  describeMoment,
  HOUR_MS,
  isLater,
  MINUTE_MS,
  minutesBetween,
  plusMinutes,
} from '../text/time.ts';
import { effectivePolicy } from './effective-policy.ts';
import { freshErrorsOf } from './figures.ts';
import type { EndedOutage, HoldingOutage } from './situation.ts';

/**
 * Rule 10: integrations that fail together share a cause. If most integrations of a provider fail, the provider is down. If one of
 * many fails, its own endpoint is broken.
 */

/** Only integrations with a recent attempt, or a recent pause by the guard, are evidence about their provider. */
const TRIED_MINUTES = 30;
const TRIPPED_MINUTES = 60;

/** An integration without a delivery for this long was broken before, so it does not count towards the beginning of an outage. */
const DELIVERED_MS = 24 * HOUR_MS;

/** An outage is over when, for this long, at most half of its integrations fail (six passes at the default rate) … */
const CALM_MINUTES = 25;
/** … and for twice as long each time it returns within this time, so that an outage that comes and goes sends few alerts. */
const RETURNS_MINUTES = 6 * 60;
const MAX_CALM_MINUTES = 12 * 60;

/** The guard ends an outage after this long if none of its integrations is tried any more. */
const FORGET_MINUTES = 7 * 24 * 60;

/** How long the guard remembers an outage after its end, and how many it remembers. */
const REMEMBER_MINUTES = 24 * 60;
const MAX_REMEMBERED = 32;

/** Failures that began at most this long before an outage belong to it. */
const BEFORE_MINUTES = 30;

/** An outage that began or ended in this pass. */
export interface OutageChange {
  readonly kind: 'begun' | 'ended';
  readonly outage: SharedOutage;
  readonly reason: string;
}

/** A shared outage with the figures that the panel and the command line show. */
export interface OutageView extends SharedOutage {
  /** Until then the guard neither pauses nor reports its integrations one by one. */
  readonly until: string;
  /** Its integrations with a recent attempt. */
  readonly tried: number;
  /** Those of them that fail. */
  readonly failing: number;
}

/** "Amplitude is down: 17 of 20 integrations fail since 09:10 UTC; none of them is paused before 15:10 UTC". */
export function describeOutage({ provider, since, until, tried, failing }: OutageView, now: string): string {
  const what = provider === null ? 'Failing for a common cause' : `${provider} is down`;
  const held = isLater(until, now)
    ? `none of them is paused before ${describeMoment(until, now)}`
    : 'each is judged on its own again';
  return `${what}: ${failing} of ${plural(tried, 'integration')} fail since ${describeMoment(since, now)}; ${held}`;
}

export interface Outages {
  /** Outages that last, and those that ended within a day. */
  readonly remembered: readonly SharedOutage[];
  readonly views: readonly OutageView[];
  readonly changes: readonly OutageChange[];
  /** The outage during which the guard neither pauses nor reports this integration; null: none. */
  readonly holding: (record: IntegrationRecord) => HoldingOutage | null;
  /** The outages of this integration that have ended. */
  readonly ended: (record: IntegrationRecord) => readonly EndedOutage[];
}

/** The state of one integration, as evidence about its provider. */
interface Sample {
  readonly provider: string;
  readonly failing: boolean;
  /** Whether it delivered within a day, so that its failure may show that an outage begins. */
  readonly worked: boolean;
}

/** The integrations of a group that were tried, and those of them that fail. */
interface Count {
  readonly tried: number;
  readonly failing: number;
}

/**
 * Finds the outages that integrations share, and those that ended.
 * @param known the outages in the ledger
 */
export function findOutages(
  records: readonly IntegrationRecord[],
  view: Pick<LedgerView, 'integrations'>,
  known: readonly SharedOutage[],
  policy: Policy,
  now: string,
): Outages {
  const { providerOutage: rule } = policy;
  if (rule === 'off') {
    const changes = known
      .filter(({ endedAt }) => endedAt === null)
      .map((outage) => ({ kind: 'ended' as const, outage, reason: 'the settings turned this rule off' }));
    return { remembered: [], views: [], changes, holding: () => null, ended: () => [] };
  }
  const names = new Map(records.map(({ integration }) => [integration, safeText(integration, 60)]));
  const nameOf = ({ integration }: IntegrationRecord) => names.get(integration) ?? '';
  const excepted = new Set(rule.except.map((name) => safeText(name, 60)));
  const samples = records.flatMap((record) => {
    if (effectivePolicy(policy, record).mode === 'ignore') return [];
    return sampleOf(record, nameOf(record), view.integrations.get(record.id)?.entry ?? null, now);
  });
  const groups = Map.groupBy(samples, ({ provider }) => provider);
  const of = (provider: string | null) => (provider === null ? samples : (groups.get(provider) ?? []));
  const providers = [...groups.keys()].filter((name) => !excepted.has(name));
  const begins = (provider: string | null) => {
    const { tried, failing } = count(of(provider).filter(({ worked }) => worked));
    return failing >= rule.minimum && failing * 100 >= rule.percent * tried;
  };

  const isDown = (provider: string) => {
    const { tried, failing } = count(of(provider));
    return failing >= rule.minimum && failing * 2 > tried;
  };
  const isCalm = (provider: string | null) => {
    const { tried, failing } = count(of(provider));
    return failing * 2 <= tried && (provider !== null || providers.filter(isDown).length < 2);
  };

  const past = known.filter(({ endedAt }) => endedAt !== null && minutesBetween(endedAt, now) < REMEMBER_MINUTES);
  const continued = known
    .filter(({ endedAt }) => endedAt === null)
    .map((outage) => nextOf(outage, { ...count(of(outage.provider)), isCalm: isCalm(outage.provider) }, now));
  const changes: OutageChange[] = continued.flatMap(({ outage, ended }) =>
    ended === null ? [] : [{ kind: 'ended' as const, outage, reason: ended }],
  );
  const over = [...past, ...changes.map(({ outage }) => outage)].slice(-MAX_REMEMBERED);
  const lasting = continued.flatMap(({ outage, ended }) => (ended === null ? [outage] : []));
  const isKnown = (provider: string | null) => lasting.some((outage) => outage.provider === provider);
  const begin = (provider: string | null, where: string) => {
    const before = past.findLast((outage) => outage.provider === provider);
    const isBack = before?.endedAt != null && minutesBetween(before.endedAt, now) < RETURNS_MINUTES;
    const returns = isBack ? before.returns + 1 : 0;
    const outage: SharedOutage = { provider, since: now, calmSince: null, endedAt: null, returns };
    lasting.push(outage);
    const { tried, failing } = count(of(provider));
    const reason = `${failing} of the ${plural(tried, 'integration')} that were tried in the last ${TRIED_MINUTES} minutes fail${where}; the guard pauses none of them before ${describeMoment(untilOf(outage, rule.holdHours), now)}`;
    changes.push({ kind: 'begun', outage, reason });
  };

  const begun = providers.filter((provider) => !isKnown(provider) && begins(provider));
  const down = [...begun, ...providers.filter(isKnown)];
  if (!isKnown(null)) {
    const judged = providers.filter((provider) => isKnown(provider) || of(provider).length >= rule.minimum);
    // Only when an outage begins. Separate outages stay separate when other providers are no longer tried.
    const several = begun.length > 0 && (down.length >= 3 || (down.length === 2 && judged.length <= 3));
    const failingProviders = new Set(of(null).flatMap(({ failing, provider }) => (failing ? [provider] : [])));
    // If only one provider fails, it is that provider's outage.
    if (several || (begins(null) && failingProviders.size >= 2))
      begin(null, `, of ${plural(failingProviders.size, 'provider')}`);
  }
  if (!isKnown(null)) {
    for (const provider of begun) begin(provider, '');
  }
  const views = lasting.map((outage) => ({
    ...outage,
    ...count(of(outage.provider)),
    until: untilOf(outage, rule.holdHours),
  }));
  const concerns = (record: IntegrationRecord) => (outage: SharedOutage) =>
    outage.provider === null || outage.provider === nameOf(record);
  return {
    remembered: [...over, ...lasting],
    views,
    changes,
    holding: (record) => holdingOf(lasting.filter(concerns(record)), rule.holdHours, now),
    ended: (record) =>
      over
        .filter(concerns(record))
        .flatMap((outage) => (outage.endedAt === null ? [] : [{ ...outage, endedAt: outage.endedAt }])),
  };
}

function sampleOf(record: IntegrationRecord, provider: string, entry: Entry | null, now: string): readonly Sample[] {
  if (isLater(entry?.ignoredUntil ?? null, now)) return [];
  const { last_delivery_at: deliveredAt, last_error_at: failedAt, active } = record;
  const worked = isWithin(deliveredAt, DELIVERED_MS, now);
  const state = entry?.state;
  const isPaused = active === 0 && state?.name === 'open' && state.by === 'guard';
  if (isPaused && isWithin(state.openedAt, TRIPPED_MINUTES * MINUTE_MS, now))
    return [{ provider, failing: true, worked }];
  const tried = [deliveredAt, failedAt].some((moment) => isWithin(moment, TRIED_MINUTES * MINUTE_MS, now));
  if (active !== 1 || !tried) return [];
  const freshErrors = state === undefined ? record.delivery_error_count : freshErrorsOf(record, state.mark);
  return [{ provider, failing: freshErrors > 0, worked }];
}

function isWithin(moment: string | null, ms: number, now: string): boolean {
  return moment !== null && Date.parse(now) - Date.parse(moment) <= ms;
}

function count(samples: readonly Sample[]): Count {
  return { tried: samples.length, failing: samples.filter(({ failing }) => failing).length };
}

/** An outage after one more pass. `ended` says why it is over; null: it lasts. Returns the same object when nothing changes. */
function nextOf(
  outage: SharedOutage,
  seen: Count & { readonly isCalm: boolean },
  now: string,
): { readonly outage: SharedOutage; readonly ended: string | null } {
  const { tried, failing } = seen;
  // A beginning in the future comes from a wrong clock, and would hold pauses back until then.
  if (isAhead(outage.since, now)) return nextOf({ ...outage, since: now, calmSince: null }, seen, now);
  if (tried === 0) {
    const isForgotten = minutesBetween(outage.since, now) >= FORGET_MINUTES;
    return isForgotten
      ? { outage: { ...outage, endedAt: now }, ended: 'no events are sent to its integrations any more' }
      : { outage, ended: null };
  }
  if (!seen.isCalm) return { outage: outage.calmSince === null ? outage : { ...outage, calmSince: null }, ended: null };
  const calmSince = outage.calmSince ?? now;
  const calmMinutes = Math.min(CALM_MINUTES * 2 ** outage.returns, MAX_CALM_MINUTES);
  if (calmSince !== now && minutesBetween(calmSince, now) >= calmMinutes) {
    const down = `${describeMoment(outage.since, now)}, for ${describeMinutes(minutesBetween(outage.since, calmSince))}`;
    const ended = `few integrations fail since ${describeMoment(calmSince, now)} (now ${failing} of ${tried}); many failed from ${down}`;
    return { outage: { ...outage, calmSince, endedAt: now }, ended };
  }
  return { outage: calmSince === outage.calmSince ? outage : { ...outage, calmSince }, ended: null };
}

/** The first outage that holds pauses back: for `holdHours`, and while it is calm and not yet over. */
function holdingOf(lasting: readonly SharedOutage[], holdHours: number, now: string): HoldingOutage | null {
  const outage = lasting.find((each) => each.calmSince !== null || isLater(untilOf(each, holdHours), now));
  return outage === undefined ? null : { ...outage, until: untilOf(outage, holdHours) };
}

/**
 * The stretch of failures after outages. A stretch that began in an outage counts from the end of the outage. One that began before
 * the outage stays as it is.
 */
export function afterOutages(stretch: Stretch, ended: readonly EndedOutage[]): Stretch {
  const since = ended.reduce((from, outage) => {
    const belongs = Date.parse(stretch.since) >= Date.parse(outage.since) - BEFORE_MINUTES * MINUTE_MS;
    return belongs && isLater(outage.endedAt, from) ? outage.endedAt : from;
  }, stretch.since);
  return since === stretch.since ? stretch : { ...stretch, since };
}

function untilOf({ since }: SharedOutage, holdHours: number): string {
  return plusMinutes(since, holdHours * 60);
}
