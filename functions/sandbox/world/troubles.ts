import { Stream, streamKey } from './chance.ts';
import { DAY_MINUTES } from './traffic.ts';

/**
 * The troubles of the world: outages of minutes to days with slow recoveries, part of the traffic failing, endpoints that fail and
 * work alternately, rate limits, credentials that expire, and trouble at Qonversion. They are written from the design and from
 * the incidents that providers publish, not from the rules of any guard. Their kinds and lengths are the published ones.
 *
 * Their frequency is an assumption, on the hard side. It is that of the independent simulator that led to the present rules. This
 * world reproduces its figures of the first rules to within 40 % (mean of seeds 11 to 19).
 */

export type TroubleKind =
  /** A whole provider, or one platform of it. */
  | 'provider'
  /** One customer's endpoint, for minutes. */
  | 'short'
  /** Some of one integration's events, for hours. */
  | 'partial'
  /** Down and up alternately, for hours. */
  | 'flapping'
  /** A few failures all the time. */
  | 'chronic'
  /** The provider refuses some of the events at the busiest hours. */
  | 'rate-limit'
  /** Qonversion, or the network between: nearly everything fails. */
  | 'qonversion'
  /** A revoked key, an endpoint that has moved: it stays until a person repairs it. */
  | 'break';

export interface Trouble {
  readonly kind: TroubleKind;
  /** Minutes since the beginning of the world; `to` is infinite for a break. */
  readonly from: number;
  readonly to: number;
  /** The share of deliveries that fails, 0 to 1. */
  readonly share: number;
  readonly message: string;
}

/** The fields of an integration that decide which troubles it has. */
export interface Victim {
  readonly id: string;
  readonly provider: string;
  readonly platform: string;
}

/** Customers' own endpoints: they share no outage. */
export const OWN_ENDPOINT = 'Webhooks';

/**
 * Mean days between two outages of one provider, each platform's and each disturbance counted. Status pages list fewer, so
 * this is on the hard side.
 */
const PROVIDER_OUTAGE_DAYS = 9;
/**
 * Half are over in half an hour, one in twenty lasts five hours, one in five hundred more than a day. Published, for example:
 * Branch 32 minutes (2024-01-23), Amplitude 41 (2017-08-08), Mixpanel 85 (2012-04-16), AppsFlyer 323 (2024-01-04).
 */
const PROVIDER_OUTAGE_MINUTES = { median: 35, sigma: 1.3 } as const;
/** One in three is about one platform: an endpoint, an SDK's format. */
const ONE_PLATFORM = 0.35;
/** Three in four refuse everything. In the others some regions or shards continue ("a 16 % error rate", Batch, 2024-11-07). */
const WHOLE_OUTAGE = 0.75;
/** One in three ends slowly: after its 41 minutes Amplitude took in only a part for another 16. */
const SLOW_RECOVERY = 0.3;

/** Qonversion sends from one place; once a month, for some twenty minutes, something is wrong with it or its network. */
const QONVERSION_OUTAGE_DAYS = 30;
const QONVERSION_OUTAGE_MINUTES = { median: 20, sigma: 0.8 } as const;
/** Some senders still have a connection. */
const QONVERSION_STRIKES = 0.85;

/** Mean days until a key is revoked or an endpoint moves: two or three times a year for each integration. */
const BREAK_DAYS = 130;

/** Mean days between two hours in which a part of an integration's events fails: a new product, a field that is too long. */
const PARTIAL_DAYS = 30;

/**
 * Mean days between two failures of one endpoint for minutes, mostly a deployment or a restart. A team that runs its
 * endpoint deploys every week; at a provider one account, shard or proxy has it every three weeks. Ten minutes, typically,
 * and one in three lasts longer than a quarter of an hour: an endpoint of one's own is there 99.7 % of the time.
 */
const SHORT_DAYS = { own: 5, shared: 20 } as const;
const SHORT_MINUTES = { median: 10, sigma: 1.1 } as const;

/** One integration in this many has an endpoint that fails and works alternately, twice a month for half a day or two. */
const FLAPPING_ONE_IN = 15;
const FLAPPING_DAYS = 12;

/** One in this many sends a few events all the time that the provider does not take: an unknown product, no user ID. */
const CHRONIC_ONE_IN = 10;
/** One in this many sends more at its busiest than its plan with the provider allows. */
const RATE_LIMITED_ONE_IN = 25;

/** All troubles of the integrations within this many minutes, in the order of their beginning. */
export function troublesOf(
  seed: number,
  victims: readonly Victim[],
  minutes: number,
): ReadonlyMap<string, readonly Trouble[]> {
  const shared = [...providerOutages(seed, victims, minutes), ...qonversionOutages(seed, minutes)];
  return new Map(
    victims.map((victim) => {
      const struck = shared.flatMap(({ strikes, ...trouble }) => (strikes(victim) ? [trouble] : []));
      const all = [...struck, ...ownTroubles(seed, victim, minutes)];
      return [victim.id, all.sort((left, right) => left.from - right.from)];
    }),
  );
}

interface SharedTrouble extends Trouble {
  readonly strikes: (victim: Victim) => boolean;
}

function providerOutages(seed: number, victims: readonly Victim[], minutes: number): readonly SharedTrouble[] {
  const providers = [...new Set(victims.map(({ provider }) => provider))].filter((name) => name !== OWN_ENDPOINT);
  return providers.flatMap((provider) => {
    const stream = new Stream(streamKey(seed, provider, 'outages'));
    return moments(stream, PROVIDER_OUTAGE_DAYS, minutes).flatMap((from): readonly SharedTrouble[] => {
      const length = stream.logNormal(PROVIDER_OUTAGE_MINUTES.median, PROVIDER_OUTAGE_MINUTES.sigma);
      const platform = stream.with(ONE_PLATFORM) ? stream.pick(['iOS', 'Android', 'Stripe']) : null;
      const share = stream.with(WHOLE_OUTAGE) ? 1 : stream.between(0.3, 0.97);
      const message = stream.pick(['HTTP 503 Service Unavailable', 'HTTP 500', 'connect ETIMEDOUT', 'HTTP 502']);
      const strikes = (victim: Victim) =>
        victim.provider === provider && (platform === null || victim.platform === platform);
      const outage = { kind: 'provider', message, strikes } as const;
      const steps = stream.with(SLOW_RECOVERY) ? [1, 0.6, 0.35, 0.15] : [1];
      // A slow recovery takes as long as half of the outage, and fewer events fail in each of its steps.
      return steps.map((part, index) => {
        const begin = index === 0 ? from : from + length + ((index - 1) * length) / 6;
        const end = index === 0 ? from + length : begin + length / 6;
        return { ...outage, from: begin, to: end, share: share * part };
      });
    });
  });
}

function qonversionOutages(seed: number, minutes: number): readonly SharedTrouble[] {
  const stream = new Stream(streamKey(seed, 'qonversion'));
  return moments(stream, QONVERSION_OUTAGE_DAYS, minutes).map((from, index) => {
    const key = streamKey(seed, 'struck', index);
    return {
      kind: 'qonversion',
      from,
      to: from + stream.logNormal(QONVERSION_OUTAGE_MINUTES.median, QONVERSION_OUTAGE_MINUTES.sigma),
      share: 1,
      message: 'getaddrinfo EAI_AGAIN',
      strikes: ({ id }) => new Stream(streamKey(key, id)).with(QONVERSION_STRIKES),
    };
  });
}

function ownTroubles(seed: number, { id, provider }: Victim, minutes: number): readonly Trouble[] {
  const stream = (what: string) => new Stream(streamKey(seed, id, what));
  const troubles: Trouble[] = [];

  const short = stream('short');
  const shortDays = provider === OWN_ENDPOINT ? SHORT_DAYS.own : SHORT_DAYS.shared;
  for (const from of moments(short, shortDays, minutes)) {
    const to = from + short.logNormal(SHORT_MINUTES.median, SHORT_MINUTES.sigma);
    troubles.push({ kind: 'short', from, to, share: 1, message: 'HTTP 503 Service Unavailable' });
  }

  const partial = stream('partial');
  for (const from of moments(partial, PARTIAL_DAYS, minutes)) {
    const to = from + partial.logNormal(120, 1.2);
    troubles.push({ kind: 'partial', from, to, share: partial.between(0.01, 0.99), message: 'HTTP 422' });
  }

  const flapping = stream('flapping');
  for (const start of flapping.oneIn(FLAPPING_ONE_IN) ? moments(flapping, FLAPPING_DAYS, minutes) : []) {
    const end = start + flapping.between(6, 48) * 60;
    const period = flapping.between(15, 90);
    const down = period * flapping.between(0.3, 0.93);
    for (let from = start; from < end; from += period)
      troubles.push({ kind: 'flapping', from, to: from + down, share: 1, message: 'socket hang up' });
  }

  const chronic = stream('chronic');
  if (chronic.oneIn(CHRONIC_ONE_IN)) {
    const share = chronic.between(0.002, 0.03);
    troubles.push({ kind: 'chronic', from: 0, to: minutes, share, message: 'HTTP 400 unknown product' });
  }

  const limited = stream('rate-limit');
  if (limited.oneIn(RATE_LIMITED_ONE_IN)) {
    const share = limited.between(0.05, 0.5);
    troubles.push({ kind: 'rate-limit', from: 0, to: minutes, share, message: 'HTTP 429 Too Many Requests' });
  }

  const broken = stream('break');
  for (const from of moments(broken, BREAK_DAYS, minutes).slice(0, 1)) {
    const share = broken.with(0.85) ? 1 : broken.between(0.8, 0.98);
    const message = broken.pick(['HTTP 401 Unauthorized', 'HTTP 403 Forbidden', 'HTTP 404 Not Found', 'HTTP 410 Gone']);
    troubles.push({ kind: 'break', from, to: Number.POSITIVE_INFINITY, share, message });
  }
  return troubles;
}

/** Moments of a Poisson process, in minutes. */
function moments(stream: Stream, meanDays: number, minutes: number): readonly number[] {
  const found: number[] = [];
  for (
    let at = stream.exponential(meanDays * DAY_MINUTES);
    at < minutes;
    at += stream.exponential(meanDays * DAY_MINUTES)
  )
    found.push(at);
  return found;
}
