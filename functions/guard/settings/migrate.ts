import { HTTPS_ENDPOINT, isPlainAddress, RUNBOOK_URL } from './formats.ts';

/**
 * What version 0.1 said in another way. This file is the one list of it: `RULES` are the settings that have to change, `DEFAULTS`
 * those that mean something else when they are left out. Document in, changes out; the door that has the file makes the edits.
 */

type Path = readonly (string | number)[];

interface NamedValue {
  readonly name: string;
  readonly value: unknown;
}

/** One change of the file. */
export interface SettingChange {
  /** Of a setting, or of an override that has nothing left to say. In the document as it was before any change. */
  readonly path: Path;
  readonly from: unknown;
  /** The setting in its place; null when it is taken out. */
  readonly to: NamedValue | null;
  readonly why: string;
}

/** A setting that is left out, and is not what it was in version 0.1. */
export interface ChangedDefault {
  /** "….policy.failingForMinutes": the same in every project. */
  readonly path: string;
  readonly from: unknown;
  readonly to: unknown;
  readonly why: string;
}

/** A setting that stays as it is and is read in another way. */
export interface RereadSetting {
  readonly path: Path;
  readonly why: string;
}

export interface Migration {
  /** In the order in which to make them: no change moves the place of a later one. */
  readonly changes: readonly SettingChange[];
  /** Settings that stand there under both names. */
  readonly conflicts: readonly { readonly path: Path; readonly old: string; readonly name: string }[];
  readonly defaults: readonly ChangedDefault[];
  readonly reread: readonly RereadSetting[];
}

/** Where policies and overrides are; `*` is any name or index. */
const POLICIES = ['projects.*.policy', 'fleet.policy', 'fleet.policies.*.policy'];
const OVERRIDES = POLICIES.map((place) => `${place}.overrides.*`);
/** What has a policy and a Secret Key. */
const OWNERS = ['projects.*', 'fleet'];

interface Rule {
  readonly places: readonly string[];
  readonly setting: string;
  /** What takes its place, a value that need not change included; null: nothing does. */
  readonly becomes: (value: unknown) => NamedValue | null;
  readonly why: string;
  /** Completes "unknown setting …; ". Left out: the name is known today. */
  readonly successor?: string;
}

/** The default of version 0.1: a path in the checkout. */
const OWN_RUNBOOK = 'docs/runbook.md';

const RULES: readonly Rule[] = [
  {
    places: [...POLICIES, ...OVERRIDES],
    setting: 'unstable',
    becomes: (value) => ({ name: 'flapping', value }),
    why: 'it is called "flapping" now',
    successor: 'it is called "flapping" now',
  },
  {
    places: POLICIES,
    setting: 'remindEveryHours',
    becomes: (value) => ({
      name: 'remindAt',
      value: typeof value !== 'number' ? value : value === 0 ? 'never' : '08:00',
    }),
    why: 'instead of reminders every so many hours there is one summary a day, at this time of day (UTC)',
    successor: 'use "remindAt", a time of day for one summary a day, or "never"',
  },
  {
    places: OVERRIDES,
    setting: 'remindEveryHours',
    becomes: () => null,
    why: 'the one summary a day, at the policy\'s "remindAt", has every integration',
    successor: 'one summary a day, at the policy\'s "remindAt", has every integration',
  },
  {
    places: OWNERS,
    setting: 'apiUrl',
    becomes: (value) => ({ name: 'apiUrl', value: rewritten(value, isPlainAddress, plainAddressOf) }),
    why: 'an address is written as it is read: host, port and path',
  },
  {
    places: ['alerts.subscriptions.*'],
    setting: 'https',
    becomes: (value) => ({ name: 'https', value: rewritten(value, (text) => HTTPS_ENDPOINT.test(text), addressOf) }),
    why: 'the same address in the form that the settings take',
  },
  {
    places: ['alerts'],
    setting: 'runbookUrl',
    becomes: (value) =>
      value === OWN_RUNBOOK
        ? null
        : { name: 'runbookUrl', value: rewritten(value, (text) => RUNBOOK_URL.test(text), addressOf) },
    why: 'an address in the form that the settings take; without one, alerts lead to the control panel',
  },
];

interface DefaultRule extends ChangedDefault {
  /** Whether it is left out. Each policy is as it applies: a fleet's policies have what its own one says. */
  readonly isLeftOut: (policies: readonly Fields[], owners: readonly Fields[]) => boolean;
}

const anyPolicyWithout =
  (...settings: readonly string[]) =>
  (policies: readonly Fields[]): boolean =>
    policies.some((policy) => settings.every((setting) => policy[setting] === undefined));

const anyProbeWithout =
  (setting: string) =>
  (policies: readonly Fields[]): boolean =>
    policies
      .flatMap((policy) => [policy, ...fieldsOfAll(policy.overrides)])
      .some(({ recovery }) => isFields(recovery) && recovery.mode === 'probe' && recovery[setting] === undefined);

const DEFAULTS: readonly DefaultRule[] = [
  {
    path: '….policy.failingForMinutes',
    from: 15,
    to: 60,
    why: 'most of what fails heals within the hour',
    isLeftOut: anyPolicyWithout('failingForMinutes'),
  },
  {
    path: '….policy.recovery',
    from: { mode: 'manual' },
    to: { mode: 'probe' },
    why: 'the guard tries what it has paused again, from 15 minutes on',
    isLeftOut: anyPolicyWithout('recovery'),
  },
  {
    path: '….policy.recovery.cooldownMinutes',
    from: 60,
    to: 15,
    why: 'a probe costs little, and a pause that outlasts the outage loses events',
    isLeftOut: anyProbeWithout('cooldownMinutes'),
  },
  {
    path: '….policy.recovery.maxAttempts',
    from: 5,
    to: 12,
    why: 'probes begin sooner, and go on for as long as before',
    isLeftOut: anyProbeWithout('maxAttempts'),
  },
  {
    path: '….policy.lowTraffic',
    from: 'off',
    to: { errors: 3, warnAfterHours: 12, pauseAfterHours: 120 },
    why: 'an integration that fails for days without ever reaching errorThreshold is reported, and then paused',
    isLeftOut: anyPolicyWithout('lowTraffic'),
  },
  {
    path: '….policy.providerOutage',
    from: 'off',
    to: { percent: 60, minimum: 3, holdHours: 48, except: ['Webhooks'] },
    why: 'integrations of one provider that fail together are one alert, and are not paused',
    isLeftOut: anyPolicyWithout('providerOutage'),
  },
  {
    path: '….policy.remindAt',
    from: 'every 24 hours',
    to: '08:00',
    why: 'what is still stopped is in one summary a day, at this time of day (UTC)',
    isLeftOut: anyPolicyWithout('remindAt', 'remindEveryHours'),
  },
  {
    path: '….personalData',
    from: 'show',
    to: 'redact',
    why: 'e-mail addresses, telephone numbers and the like in error messages are redacted',
    isLeftOut: (_, owners) => owners.some(({ personalData }) => personalData === undefined),
  },
];

/** A document that today's schema takes as it is needs no change. Whether the changed one is right is for the schema to say. */
export function migrateSettings(document: unknown): Migration {
  const found = RULES.flatMap((rule) =>
    rule.places.flatMap((place) =>
      fieldsAt(document, place).flatMap(({ path, fields }) => {
        const from = fields[rule.setting];
        if (!Object.hasOwn(fields, rule.setting)) return [];
        const to = rule.becomes(from);
        if (to?.name === rule.setting && to.value === from) return [];
        return [
          {
            holder: path,
            fields,
            setting: rule.setting,
            change: { path: [...path, rule.setting], from, to, why: rule.why },
          },
        ];
      }),
    ),
  );
  const isConflict = ({ fields, setting, change: { to } }: (typeof found)[number]) =>
    to !== null && to.name !== setting && Object.hasOwn(fields, to.name);
  const conflicts = found
    .filter(isConflict)
    .flatMap(({ holder, setting, change: { to } }) =>
      to === null ? [] : [{ path: holder, old: setting, name: to.name }],
    );
  const changes = found.filter((each) => !isConflict(each)).map(({ change }) => change);
  return {
    changes: keepOverridesWhole(document, changes),
    conflicts,
    defaults: changedDefaults(document),
    reread: [...rereadGlobs(document), ...rereadMinutes(document)],
  };
}

/** What took the place of a setting that the schema does not know at this place; null when it never did. */
export function successorOf(path: readonly PropertyKey[], setting: string): string | null {
  const rule = RULES.find(
    (each) => each.setting === setting && each.places.some((place) => fits(place.split('.'), path)),
  );
  return rule?.successor ?? null;
}

function fits(place: readonly string[], path: readonly PropertyKey[]): boolean {
  return place.length === path.length && place.every((name, index) => name === '*' || name === String(path[index]));
}

/**
 * An override has to change something, and the first that matches hides those after it. One that has nothing left to say goes
 * if it is the last; if not, it gets a setting that changes nothing: the `lowTraffic` of the policy, which version 0.1 did not have.
 */
function keepOverridesWhole(document: unknown, changes: readonly SettingChange[]): readonly SettingChange[] {
  const kept = changes.filter(({ path, to }) => to !== null || !isLeftEmpty(document, path));
  const emptied = changes.filter((change) => !kept.includes(change));
  const removed: SettingChange[] = [];
  const filled: SettingChange[] = [];
  // From the last on, so that no removal moves another.
  for (const change of emptied.toReversed()) {
    const override = change.path.slice(0, -1);
    const list = override.slice(0, -1);
    const length = (valueAt(document, list) as readonly unknown[]).length;
    const isLast = override.at(-1) === length - 1 - removed.filter(({ path }) => isInside(path, list)).length;
    if (isLast) {
      removed.push({
        path: override,
        from: valueAt(document, override),
        to: null,
        why: `${change.why}, and nothing else was in it`,
      });
    } else {
      const policy = valueAt(document, list.slice(0, -1)) as Fields;
      const to = { name: 'lowTraffic', value: policy.lowTraffic ?? {} };
      filled.push({
        ...change,
        to,
        why: `${change.why}; "lowTraffic" changes nothing here and keeps the override, which hides those after it`,
      });
    }
  }
  return [...kept, ...filled.toReversed(), ...removed];
}

function isLeftEmpty(document: unknown, path: Path): boolean {
  const holder = valueAt(document, path.slice(0, -1));
  return (
    isFields(holder) &&
    'match' in holder &&
    Object.keys(holder).every((name) => name === 'match' || name === path.at(-1))
  );
}

function isInside(path: Path, list: Path): boolean {
  return path.length > list.length && list.every((name, index) => name === path[index]);
}

function changedDefaults(document: unknown): readonly ChangedDefault[] {
  const owners = OWNERS.flatMap((place) => fieldsAt(document, place).map(({ fields }) => fields));
  const policies = owners.flatMap((owner) => {
    const own = isFields(owner.policy) ? owner.policy : {};
    return [own, ...fieldsOfAll(owner.policies).map(({ policy }) => ({ ...own, ...(isFields(policy) ? policy : {}) }))];
  });
  return DEFAULTS.filter(({ isLeftOut }) => isLeftOut(policies, owners)).map(({ isLeftOut: _, ...rest }) => rest);
}

/** Version 0.1 made a regular expression of a glob, in which more had a meaning than it said. */
function rereadGlobs(document: unknown): readonly RereadSetting[] {
  const titles = OVERRIDES.map((place) => [`${place}.match`, 'title'] as const);
  return [...titles, ['fleet.policies.*', 'match'] as const].flatMap(([place, name]) =>
    fieldsAt(document, place).flatMap(({ path, fields }) => {
      const glob = fields[name];
      if (typeof glob !== 'string' || !/[[\](){}\\|+@!]/.test(glob)) return [];
      return [
        {
          path: [...path, name],
          why: 'only "*" and "?" are special in it now; brackets, braces and the like stand for themselves',
        },
      ];
    }),
  );
}

/** Said of what pauses sooner than the default does: the number stays, and what is counted is not what it was. */
function rereadMinutes(document: unknown): readonly RereadSetting[] {
  return [...POLICIES, ...OVERRIDES].flatMap((place) =>
    fieldsAt(document, place).flatMap(({ path, fields: { failingForMinutes } }) => {
      if (typeof failingForMinutes !== 'number' || failingForMinutes >= 60) return [];
      return [
        {
          path: [...path, 'failingForMinutes'],
          why: `it stays ${failingForMinutes}, and counts minutes in which failures are observed, no longer those without a delivery; the default is 60, because most of what fails heals within the hour`,
        },
      ];
    }),
  );
}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fieldsOfAll(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : [];
}

/** The objects at a place, with their paths. */
function fieldsAt(document: unknown, place: string): readonly { readonly path: Path; readonly fields: Fields }[] {
  let found: readonly { readonly path: Path; readonly value: unknown }[] = [{ path: [], value: document }];
  for (const name of place.split('.')) {
    found = found.flatMap(({ path, value }) =>
      entriesOf(value, name).map(([key, inner]) => ({ path: [...path, key], value: inner })),
    );
  }
  return found.flatMap(({ path, value }) => (isFields(value) ? [{ path, fields: value }] : []));
}

function entriesOf(value: unknown, name: string): readonly (readonly [string | number, unknown])[] {
  if (Array.isArray(value)) return name === '*' ? value.map((element, index) => [index, element]) : [];
  if (!isFields(value)) return [];
  if (name === '*') return Object.entries(value);
  return Object.hasOwn(value, name) ? [[name, value[name]]] : [];
}

function valueAt(document: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, name) => (value as Readonly<Record<string | number, unknown>>)[name], document);
}

/** An address that is refused as it stands, in the form that is taken if there is one. */
function rewritten(value: unknown, isTaken: (text: string) => boolean, rewrite: (url: URL) => string): unknown {
  if (typeof value !== 'string' || isTaken(value) || !URL.canParse(value)) return value;
  const other = rewrite(new URL(value));
  return isTaken(other) ? other : value;
}

/** Without the slashes and the empty query and fragment at its end, which version 0.1 took and had no use for. */
function plainAddressOf({ href }: URL): string {
  return href.replace(/[?#]+$/, '').replace(/\/+$/, '');
}

function addressOf({ href }: URL): string {
  return href.replaceAll("'", '%27');
}
