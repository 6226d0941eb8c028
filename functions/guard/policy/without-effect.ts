import { isDeepStrictEqual } from 'node:util';
import type { IntegrationRecord } from '../model/integration.ts';
import { showValue } from '../settings/fault.ts';
import { SECRET_NAME } from '../settings/formats.ts';
import { matchesGlob } from '../settings/glob.ts';
import {
  DEFAULT_POLICY,
  type FleetSettings,
  type Match,
  type Override,
  type Policy,
  type Settings,
} from '../settings/schema.ts';
import { nearest } from '../text/nearest.ts';
import { plural, safeText } from '../text/sanitize.ts';
import { describeMinutes } from '../text/time.ts';
import { blastRadius } from './blast-radius.ts';
import { type EffectivePolicy, effectivePolicy, matches, withOverride } from './effective-policy.ts';

/**
 * Settings that can have no effect: another setting always comes first, or they match nothing. They are valid, so they cause warnings only.
 * Each warning holds for every record; test/guard/policy/without-effect.test.ts compares the warnings with the policy.
 */

/** A setting without effect. */
export interface WithoutEffect {
  /** Its kind, for those who acknowledge the warning. */
  readonly kind:
    | 'never-pauses'
    | 'never-warns'
    | 'limits-never-reached'
    | 'low-traffic-never-reached'
    | 'all-ignored'
    | 'limits-of-ignored'
    | 'override-never-applies'
    | 'override-matches-nothing'
    | 'no-such-provider'
    | 'outage-never-found'
    | 'policy-never-used'
    | 'no-such-project';
  /** Where it is in the settings: "projects.production.policy.overrides.2". */
  readonly path: string;
  /** One sentence that follows the path. */
  readonly message: string;
  /** The next step, as a sentence. */
  readonly action: string;
}

/** The warnings that need only the settings, not the list of integrations. */
export function findWithoutEffect({ projects, fleet }: Settings): readonly WithoutEffect[] {
  return [
    ...Object.entries(projects).flatMap(([name, { policy }]) => inPolicy(policy, `projects.${name}.policy`)),
    ...(fleet === undefined ? [] : inFleet(fleet)),
  ];
}

/**
 * The warnings about one policy, given the integrations of its project.
 * @param path where the policy is in the settings
 * @param records all integrations of the project, as the list has them
 */
export function findWithoutEffectOn(
  policy: Policy,
  path: string,
  records: readonly IntegrationRecord[],
): readonly WithoutEffect[] {
  const known = inPolicy(policy, path);
  // A project without integrations may get some later.
  const found = records.length === 0 ? [] : onRecords(policy, path, records);
  const isKnown = (each: WithoutEffect) =>
    known.some(({ kind, path: where }) => where === each.path || (kind === 'all-ignored' && each.kind === kind));
  return [...known, ...found.filter((each) => !isKnown(each))];
}

/**
 * The warnings that need the projects of a fleet: policies that no project has, and subscriptions to unknown projects.
 * @param policiesInUse those that apply to at least one project
 * @param names every project of the fleet
 */
export function findWithoutEffectOnFleet(
  settings: Settings & { readonly fleet: FleetSettings },
  policiesInUse: ReadonlySet<Policy | null>,
  names: ReadonlySet<string>,
): readonly WithoutEffect[] {
  const { fleet, projects, alerts } = settings;
  const never = new Set(unusedPolicies(fleet).map(({ path }) => path));
  const unused = fleet.policies.flatMap(({ policy, tag, match }, index): readonly WithoutEffect[] => {
    const path = `fleet.policies.${index}`;
    if (policiesInUse.has(policy) || never.has(path)) return [];
    const forWhat = [
      ...(tag === undefined ? [] : [`no secret asks for it with the tag value ${showValue(tag)}`]),
      ...(match === undefined ? [] : [`no project gets it by its name, which would be like ${showValue(match)}`]),
    ].join(', and ');
    const prefix = fleet.secretNamePrefix;
    const action = match?.startsWith(prefix)
      ? `The name of a project is what follows secretNamePrefix. Take ${showValue(prefix)} out of "match".`
      : 'Compare it with `integration-guard projects`, or remove it.';
    return [{ kind: 'policy-never-used', path, message: `applies to no project: ${forWhat}.`, action }];
  });
  const isProject = (name: string) => Object.hasOwn(projects, name) || names.has(name);
  const unknown = alerts.subscriptions.flatMap((subscription, index) =>
    (subscription.projects ?? []).flatMap((name, position): readonly WithoutEffect[] => {
      if (isProject(name)) return [];
      return [
        {
          kind: 'no-such-project',
          path: `alerts.subscriptions.${index}.projects.${position}`,
          message: `names an unknown project: ${showValue(name)}.`,
          action: suggest(name, [...Object.keys(projects), ...names], 'integration-guard projects'),
        },
      ];
    }),
  );
  return [...unused, ...unknown];
}

function inFleet(fleet: FleetSettings): readonly WithoutEffect[] {
  const own = inPolicy(fleet.policy, 'fleet.policy');
  const ofPolicies = fleet.policies.flatMap(({ policy }, index) => {
    const path = `fleet.policies.${index}.policy`;
    // Warnings about limits inherited from `fleet.policy` are reported there.
    const isTakenOver = (found: WithoutEffect) =>
      own.some(({ path: where, ...rest }) =>
        isDeepStrictEqual({ ...rest, path: where.replace('fleet.policy', path) }, found),
      );
    return inPolicy(policy, path).filter((found) => !isTakenOver(found));
  });
  return [...own, ...unusedPolicies(fleet), ...ofPolicies];
}

/** Policies of a fleet that can apply to no project name. */
function unusedPolicies({ policies }: FleetSettings): readonly WithoutEffect[] {
  return policies.flatMap(({ tag, match }, index): readonly WithoutEffect[] => {
    if (tag !== undefined || match === undefined) return [];
    const path = `fleet.policies.${index}`;
    if (!SECRET_NAME.test(match.replaceAll(/[*?]/g, '-'))) {
      const message = `applies to no project: no name of a project can be like ${showValue(match)}.`;
      const action = 'Names of projects have letters, digits and /_+=.@- only.';
      return [{ kind: 'policy-never-used', path, message, action }];
    }
    const earlier = policies
      .slice(0, index)
      .findIndex((other) => other.match !== undefined && covers(other.match, match));
    if (earlier < 0) return [];
    const message = `applies to no project: fleet.policies.${earlier} matches all names that it matches, and comes first.`;
    return [
      { kind: 'policy-never-used', path, message, action: `Put it before fleet.policies.${earlier}, or remove it.` },
    ];
  });
}

function inPolicy(policy: Policy, path: string): readonly WithoutEffect[] {
  const own = inLimits(withOverride(policy, undefined), path, policy.warnThreshold !== undefined);
  const ofOverrides = policy.overrides.flatMap((override, index) => {
    const where = `${path}.overrides.${index}`;
    const isSaid = ({ kind, message }: WithoutEffect) =>
      own.some((each) => each.kind === kind && each.message === message);
    return [
      ...shadowed(policy.overrides, override, index, path),
      ...ofIgnored(override, where),
      ...inLimits(
        withOverride(policy, override),
        where,
        (override.warnThreshold ?? policy.warnThreshold) !== undefined,
      ).filter((found) => !isSaid(found)),
    ];
  });
  return [...inBlastRadius(policy, path), ...ignoresAll(policy, path), ...own, ...ofOverrides];
}

/** A limit of errors and of minutes; both have to be reached. */
interface Limit {
  readonly errors: number;
  readonly minutes: number;
}

/** Whether `first` is always reached before `second`, or at the same time. */
function precedes(first: Limit | null, second: Limit | null): boolean {
  return first !== null && second !== null && first.errors <= second.errors && first.minutes <= second.minutes;
}

/** Rules 3 and 4: of two limits for the same act, one may always be reached first. */
function inLimits(policy: EffectivePolicy, path: string, isWarnThresholdSet: boolean): readonly WithoutEffect[] {
  const { mode, errorThreshold, failingForMinutes, warnThreshold, lowTraffic } = policy;
  if (mode === 'ignore') return [];
  const rare = lowTraffic === 'off' ? null : lowTraffic;
  const pause = { errors: errorThreshold, minutes: failingForMinutes };
  const rarePause = rare && { errors: rare.errors, minutes: rare.pauseAfterHours * 60 };
  const warning = warnThreshold === 0 ? null : { errors: warnThreshold, minutes: failingForMinutes / 2 };
  const rareWarning = rare && { errors: Math.ceil(rare.errors / 2), minutes: rare.warnAfterHours * 60 };
  const found: WithoutEffect[] = [];
  const isRarePauseLate = precedes(pause, rarePause);
  if (precedes(rarePause, pause) && !isRarePauseLate)
    found.push({
      kind: 'limits-never-reached',
      path,
      message: `pauses nothing by errorThreshold and failingForMinutes (${describeLimit(pause)}): lowTraffic pauses at ${describeLimit(rarePause)}, which comes first.`,
      action: 'Set failingForMinutes or errorThreshold to less, or change lowTraffic.',
    });
  const warnsFirst = [pause, rarePause, rareWarning].find((limit) => precedes(limit, warning));
  if (isWarnThresholdSet && warnsFirst)
    found.push({
      kind: 'never-warns',
      path: `${path}.warnThreshold`,
      message: `never warns (${describeLimit(warning)}): the guard ${warnsFirst === rareWarning ? 'warns' : 'pauses'} at ${describeLimit(warnsFirst)}, which comes first.`,
      action: 'Set it to less, or to 0 for no early warning.',
    });
  // No warning about defaults: the user did not write them.
  if (isDeepStrictEqual(lowTraffic, DEFAULT_POLICY.lowTraffic)) return found;
  if (isRarePauseLate)
    found.push({
      kind: 'low-traffic-never-reached',
      path: `${path}.lowTraffic`,
      message: `pauses nothing (${describeLimit(rarePause)}): errorThreshold and failingForMinutes pause at ${describeLimit(pause)}, which comes first.`,
      action: 'Set pauseAfterHours or errors to less, or lowTraffic to "off".',
    });
  const first = [pause, rarePause, warning].find((limit) => precedes(limit, rareWarning));
  if (first)
    found.push({
      kind: 'never-warns',
      path: `${path}.lowTraffic.warnAfterHours`,
      message: `never warns (${describeLimit(rareWarning)}): the guard ${first === warning ? 'warns' : 'pauses'} at ${describeLimit(first)}, which comes first.`,
      action: 'Set it to less.',
    });
  return found;
}

function describeLimit(limit: Limit | null): string {
  return limit === null ? 'no limit' : `${plural(limit.errors, 'failure')} over ${describeMinutes(limit.minutes)}`;
}

/** Rule 11. */
function inBlastRadius(policy: Policy, path: string): readonly WithoutEffect[] {
  const { floor, percent } = policy.blastRadius;
  if (floor > 0 || percent > 0 || !mayPause(policy)) return [];
  return [neverPauses(path, '"floor" and "percent" are 0')];
}

function mayPause({ mode, overrides }: Policy): boolean {
  return mode === 'enforce' || overrides.some((override) => override.mode === 'enforce');
}

function neverPauses(path: string, why: string): WithoutEffect {
  return {
    kind: 'never-pauses',
    path: `${path}.blastRadius`,
    message: `lets no pass pause an integration by the limits: ${why}.`,
    action: 'Set "floor" to at least 1, or "mode" to "observe" if the guard must not pause.',
  };
}

function ignoresAll({ overrides }: Policy, path: string): readonly WithoutEffect[] {
  const index = overrides.findIndex(({ mode, match }) => mode !== 'ignore' || isCatchAll(match));
  const override = overrides[index];
  return override?.mode === 'ignore' ? [guardsNothing(`${path}.overrides.${index}`)] : [];
}

function guardsNothing(path: string): WithoutEffect {
  return {
    kind: 'all-ignored',
    path,
    message: 'has the guard ignore every integration: it neither pauses nor reports any.',
    action: 'Set "mode" to "observe" if the guard must only report.',
  };
}

function isCatchAll(match: Match): boolean {
  return coversMatch(match, { title: '*' });
}

function ofIgnored({ match: _, mode, ...limits }: Override, path: string): readonly WithoutEffect[] {
  const names = Object.entries(limits).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (mode !== 'ignore' || names.length === 0) return [];
  const message = `does not use ${names.join(', ')}: the guard ignores its integrations.`;
  return [{ kind: 'limits-of-ignored', path, message, action: 'Remove them, or change the mode.' }];
}

function shadowed(
  overrides: readonly Override[],
  { match }: Override,
  index: number,
  path: string,
): readonly WithoutEffect[] {
  const earlier = overrides.slice(0, index).findIndex((other) => coversMatch(other.match, match));
  if (earlier < 0) return [];
  const message = `never applies: ${path}.overrides.${earlier} matches everything that it matches, and comes first.`;
  return [neverApplies(path, index, message, earlier)];
}

function neverApplies(path: string, index: number, message: string, earlier: number): WithoutEffect {
  const action = `Put it before ${path}.overrides.${earlier}, or remove it.`;
  return { kind: 'override-never-applies', path: `${path}.overrides.${index}`, message, action };
}

/** Whether `wide` matches everything that `narrow` matches. False where that is not certain. */
function coversMatch(wide: Match, narrow: Match): boolean {
  return (
    (wide.id === undefined || wide.id === narrow.id) &&
    (wide.integration === undefined || wide.integration === narrow.integration) &&
    (wide.target_platform === undefined || wide.target_platform === narrow.target_platform) &&
    (wide.title === undefined || covers(wide.title, narrow.title ?? '*'))
  );
}

/** The same for globs. A "*" of the narrow one is a character like any other here, which only a "*" of the wide one may take. */
function covers(wide: string, narrow: string): boolean {
  if (wide === narrow) return true;
  return (!wide.includes('?') || !narrow.includes('*')) && matchesGlob(wide, narrow);
}

function onRecords(policy: Policy, path: string, records: readonly IntegrationRecord[]): readonly WithoutEffect[] {
  const isIgnored = (record: IntegrationRecord) => effectivePolicy(policy, record).mode === 'ignore';
  if (records.every(isIgnored)) return [guardsNothing(path)];
  const watched = records.filter((record) => !isIgnored(record));
  return [
    ...policy.overrides.flatMap((override, index) => overrideOnRecords(policy, override, index, path, records)),
    ...blastRadiusOnRecords(policy, path, records),
    ...providerOutageOnRecords(policy, path, records, watched),
  ];
}

function overrideOnRecords(
  { overrides }: Policy,
  { match }: Override,
  index: number,
  path: string,
  records: readonly IntegrationRecord[],
): readonly WithoutEffect[] {
  const matched = records.filter((record) => matches(match, record));
  if (matched.length === 0) return [matchesNothing(match, `${path}.overrides.${index}`, records)];
  const winners = matched.map((record) => overrides.findIndex((other) => matches(other.match, record)));
  if (winners.includes(index)) return [];
  const message = `applies to no integration: earlier overrides match all that it matches (${plural(matched.length, 'integration')}), and come first.`;
  return [neverApplies(path, index, message, Math.min(...winners))];
}

function matchesNothing(match: Match, path: string, records: readonly IntegrationRecord[]): WithoutEffect {
  const { id, integration, target_platform: platform, title } = match;
  const some = (part: Match) => records.some((record) => matches(part, record));
  const titles = records.map((record) => record.title);
  const providers = records.map((record) => record.integration);
  const say = (why: string, action: string): WithoutEffect => {
    const message = `matches no integration (the list has ${records.length.toLocaleString('en-US')}): ${why}.`;
    return { kind: 'override-matches-nothing', path, message, action };
  };
  if (id !== undefined && !some({ id }))
    return say(
      `none has the id ${showValue(id)}`,
      suggest(
        id,
        records.map((record) => record.id),
      ),
    );
  if (integration !== undefined && !some({ integration })) {
    const why = `none is of the provider ${showValue(integration)}`;
    if (titles.includes(integration)) return say(why, 'That is a title: use "title" instead of "integration".');
    const action = suggest(integration, providers);
    return say(
      why,
      /[*?]/.test(integration) ? `Give the provider's whole name: only "title" takes a glob. ${action}` : action,
    );
  }
  if (platform !== undefined && !some({ target_platform: platform })) return say(`none is for ${platform}`, COMPARE);
  if (title === undefined || some({ title })) return say('none fits "match" as a whole', COMPARE);
  const why = `no title is like ${showValue(title)}`;
  if (providers.includes(title)) return say(why, 'That is a provider: use "integration" instead of "title".');
  const wider = `*${title.replaceAll(/^\*+|\*+$/g, '')}*`;
  return say(
    why,
    some({ title: wider }) ? `Write ${showValue(wider)}: a title has to fit as a whole.` : suggest(title, titles),
  );
}

const COMPARE = 'Compare it with `integration-guard list`, or remove it.';

function suggest(word: string, candidates: readonly string[], command = 'integration-guard list'): string {
  const near = nearest(word, candidates);
  if (near === null) return `Compare it with \`${command}\`, or remove it.`;
  return `Did you mean ${JSON.stringify(safeText(near, 80))}? \`${command}\` shows all.`;
}

function blastRadiusOnRecords(
  policy: Policy,
  path: string,
  records: readonly IntegrationRecord[],
): readonly WithoutEffect[] {
  const active = records.filter((record) => record.active === 1);
  const isEnforced = active.some((record) => effectivePolicy(policy, record).mode === 'enforce');
  if (!isEnforced || blastRadius(policy, active.length) > 0) return [];
  const share = `${policy.blastRadius.percent} % of ${plural(active.length, 'active integration')}`;
  return [neverPauses(path, `${share} is less than one, and "floor" is 0`)];
}

/** Rule 10. */
function providerOutageOnRecords(
  { providerOutage: rule }: Policy,
  path: string,
  records: readonly IntegrationRecord[],
  watched: readonly IntegrationRecord[],
): readonly WithoutEffect[] {
  if (rule === 'off') return [];
  const nameOf = (name: string) => safeText(name, 60);
  const providers = records.map(({ integration }) => nameOf(integration));
  const usual = DEFAULT_POLICY.providerOutage === 'off' ? null : DEFAULT_POLICY.providerOutage;
  const unknown = rule.except.flatMap((name, index): readonly WithoutEffect[] => {
    if (providers.includes(nameOf(name)) || usual?.except.includes(name)) return [];
    const message = `matches no provider: no integration is of ${showValue(name)}.`;
    const where = `${path}.providerOutage.except.${index}`;
    return [{ kind: 'no-such-provider', path: where, message, action: suggest(name, providers) }];
  });
  const excepted = new Set(rule.except.map(nameOf));
  const groups = Map.groupBy(watched, ({ integration }) => nameOf(integration));
  const [largest] = [...groups]
    .filter(([name]) => !excepted.has(name))
    .map(([name, { length }]) => ({ name, length }))
    .sort((one, other) => other.length - one.length);
  if (rule.minimum === usual?.minimum || (largest !== undefined && largest.length >= rule.minimum)) return unknown;
  const most = largest === undefined ? 'all are excepted' : `${largest.name} has most, ${largest.length}`;
  return [
    ...unknown,
    {
      kind: 'outage-never-found',
      path: `${path}.providerOutage.minimum`,
      message: `finds no provider's outage: no provider has ${plural(rule.minimum, 'integration')} (${most}).`,
      action: 'Set it to less, or providerOutage to "off".',
    },
  ];
}
