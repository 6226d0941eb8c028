import type { IntegrationRecord } from '../model/integration.ts';
import { matchesGlob } from '../settings/glob.ts';
import type { FlappingPolicy, LowTraffic, Match, Override, Policy, Recovery } from '../settings/schema.ts';

/** The policy of one integration: the project's policy with the first override that matches. */
export interface EffectivePolicy {
  readonly mode: 'enforce' | 'observe' | 'ignore';
  readonly errorThreshold: number;
  readonly failingForMinutes: number;
  readonly warnThreshold: number;
  readonly lowTraffic: LowTraffic;
  /** When the guard reminds people of stopped integrations: a time of day in UTC ("08:00"), or "never". */
  readonly remindAt: string;
  readonly flapping: FlappingPolicy;
  readonly recovery: Recovery;
}

type Described = Pick<IntegrationRecord, 'id' | 'title' | 'integration' | 'target_platform'>;

export function effectivePolicy(policy: Policy, record: Described): EffectivePolicy {
  return withOverride(
    policy,
    policy.overrides.find(({ match }) => matches(match, record)),
  );
}

/** Whether an override is about an integration. */
export function matches(match: Match, record: Described): boolean {
  if (match.id !== undefined && match.id !== record.id) return false;
  if (match.integration !== undefined && match.integration !== record.integration) return false;
  if (match.target_platform !== undefined && match.target_platform !== record.target_platform) return false;
  return match.title === undefined || matchesGlob(match.title, record.title);
}

/** The rules for the integrations of one override; undefined: for those of none. */
export function withOverride(policy: Policy, override: Override | undefined): EffectivePolicy {
  const errorThreshold = override?.errorThreshold ?? policy.errorThreshold;
  return {
    mode: override?.mode ?? policy.mode,
    errorThreshold,
    failingForMinutes: override?.failingForMinutes ?? policy.failingForMinutes,
    warnThreshold: override?.warnThreshold ?? policy.warnThreshold ?? Math.floor(errorThreshold / 2),
    lowTraffic: override?.lowTraffic ?? policy.lowTraffic,
    remindAt: policy.remindAt,
    flapping: override?.flapping ?? policy.flapping,
    recovery: override?.recovery ?? policy.recovery,
  };
}
