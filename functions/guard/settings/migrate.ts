import { HTTPS_ENDPOINT, isPlainAddress, RUNBOOK_URL } from './formats.ts';

/**
 * The differences between the settings of version 0.1 and today's. `RULES` lists the settings that have to change, `DEFAULTS` those
 * whose default has changed. Document in, changes out; the command line edits the file.
 */

type Path = readonly (string | number)[];

interface NamedValue {
  readonly name: string;
  readonly value: unknown;
}

/** One change of the file. */
export interface SettingChange {
  /** The path of a setting, or of an override that became empty, in the document before any change. */
  readonly path: Path;
  readonly from: unknown;
  /** The new setting; null when the old one is removed. */
  readonly to: NamedValue | null;
  readonly why: string;
}

/** A setting that is left out and whose default differs from version 0.1. */
export interface ChangedDefault {
  /** "….policy.failingForMinutes": the same in every project. */
  readonly path: string;
  readonly from: unknown;
  readonly to: unknown;
  readonly why: string;
}

/** A setting that stays as it is but has another meaning. */
export interface RereadSetting {
  readonly path: Path;
  readonly why: string;
}

export interface Migration {
  /** In an order that is safe to apply: no change moves the path of a later one. */
  readonly changes: readonly SettingChange[];
  /** Settings that are present under both names. */
  readonly conflicts: readonly { readonly path: Path; readonly old: string; readonly name: string }[];
  readonly defaults: readonly ChangedDefault[];
  readonly reread: readonly RereadSetting[];
}

/** The paths of policies and overrides; `*` is any name or index. */
const POLICIES = ['projects.*.policy', 'fleet.policy', 'fleet.policies.*.policy'];
const OVERRIDES = POLICIES.map((place) => `${place}.overrides.*`);
/** The objects with a policy and a Secret Key. */
const OWNERS = ['projects.*', 'fleet'];

interface Rule {
  readonly places: readonly string[];
  readonly setting: string;
  /** The new name and value, even if the value stays the same; null: the setting is removed. */
  readonly becomes: (value: unknown) => NamedValue | null;
  readonly why: string;
  /** Completes "unknown setting …; ". Left out: the name is still known. */
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
    why: 'one summary a day, at this time (UTC), replaces the reminders',
    successor: 'use "remindAt", a time of day for one summary a day, or "never"',
  },
  {
    places: OVERRIDES,
    setting: 'remindEveryHours',
    becomes: () => null,
    why: 'one summary a day, at the policy\'s "remindAt", lists every integration',
    successor: 'one summary a day, at the policy\'s "remindAt", lists every integration',
  },
  {
    places: OWNERS,
    setting: 'apiUrl',
    becomes: (value) => ({ name: 'apiUrl', value: rewritten(value, isPlainAddress, plainAddressOf) }),
    why: 'an address may have only host, port and path',
  },
  {
    places: ['alerts.subscriptions.*'],
    setting: 'https',
    becomes: (value) => ({ name: 'https', value: rewritten(value, (text) => HTTPS_ENDPOINT.test(text), addressOf) }),
    why: 'the same address in the form that the settings accept',
  },
  {
    places: ['alerts'],
    setting: 'runbookUrl',
    becomes: (value) =>
      value === OWN_RUNBOOK
        ? null
        : { name: 'runbookUrl', value: rewritten(value, (text) => RUNBOOK_URL.test(text), addressOf) },
    why: 'the same address in the form that the settings accept; without one, alerts link to the control panel',
  },
];

interface DefaultRule extends ChangedDefault {
  /** Whether the setting is left out. Policies are merged: a fleet's policies inherit from the fleet's own policy. */
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
    why: 'most failures end within the hour',
    isLeftOut: anyPolicyWithout('failingForMinutes'),
  },
  {
    path: '….policy.recovery',
    from: { mode: 'manual' },
    to: { mode: 'probe' },
    why: 'the guard probes the integrations that it paused, first after 15 minutes',
    isLeftOut: anyPolicyWithout('recovery'),
  },
  {
    path: '….policy.recovery.cooldownMinutes',
    from: 60,
    to: 15,
    why: 'a probe costs little, but a pause that outlasts the outage loses events',
    isLeftOut: anyProbeWithout('cooldownMinutes'),
  },
  {
    path: '….policy.recovery.maxAttempts',
    from: 5,
    to: 12,
    why: 'probes begin sooner and continue for as long as before',
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
    why: 'integrations of one provider that fail together cause one alert and are not paused',
    isLeftOut: anyPolicyWithout('providerOutage'),
  },
  {
    path: '….policy.remindAt',
    from: 'every 24 hours',
    to: '08:00',
    why: 'one summary a day, at this time (UTC), lists the integrations that are still stopped',
    isLeftOut: anyPolicyWithout('remindAt', 'remindEveryHours'),
  },
  {
    path: '….personalData',
    from: 'show',
    to: 'redact',
    why: 'email addresses, phone numbers and other personal data in error messages are redacted',
    isLeftOut: (_, owners) => owners.some(({ personalData }) => personalData === undefined),
  },
];

/** The changes that a document needs; none if today's schema accepts it. The caller validates the changed document. */
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

/** The successor of a setting that the schema no longer knows at this path; null when version 0.1 did not know it either. */
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
 * An override must change something, and the first match hides later ones. An override that became empty is removed if it is the
 * last. Otherwise it gets a setting without effect: the policy's own `lowTraffic`, which version 0.1 did not have.
 */
function keepOverridesWhole(document: unknown, changes: readonly SettingChange[]): readonly SettingChange[] {
  const kept = changes.filter(({ path, to }) => to !== null || !isLeftEmpty(document, path));
  const emptied = changes.filter((change) => !kept.includes(change));
  const removed: SettingChange[] = [];
  const filled: SettingChange[] = [];
  // Last one first, so that no removal moves another.
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
        why: `${change.why}; the override had no other setting`,
      });
    } else {
      const policy = valueAt(document, list.slice(0, -1)) as Fields;
      const to = { name: 'lowTraffic', value: policy.lowTraffic ?? {} };
      filled.push({
        ...change,
        to,
        why: `${change.why}; "lowTraffic" has no effect here but keeps the override, which hides later ones`,
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

/** Version 0.1 turned a glob into a regular expression, so other characters had a meaning too. */
function rereadGlobs(document: unknown): readonly RereadSetting[] {
  const titles = OVERRIDES.map((place) => [`${place}.match`, 'title'] as const);
  return [...titles, ['fleet.policies.*', 'match'] as const].flatMap(([place, name]) =>
    fieldsAt(document, place).flatMap(({ path, fields }) => {
      const glob = fields[name];
      if (typeof glob !== 'string' || !/[[\](){}\\|+@!]/.test(glob)) return [];
      return [
        {
          path: [...path, name],
          why: 'only "*" and "?" are special now; brackets, braces and other characters match themselves',
        },
      ];
    }),
  );
}

/** A notice for values below the default: the number stays, but its meaning has changed. */
function rereadMinutes(document: unknown): readonly RereadSetting[] {
  return [...POLICIES, ...OVERRIDES].flatMap((place) =>
    fieldsAt(document, place).flatMap(({ path, fields: { failingForMinutes } }) => {
      if (typeof failingForMinutes !== 'number' || failingForMinutes >= 60) return [];
      return [
        {
          path: [...path, 'failingForMinutes'],
          why: `it stays ${failingForMinutes}, but counts minutes with observed failures instead of minutes without a delivery; the default is 60, because most failures end within the hour`,
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

/** The objects at a place (`*` is any name or index), with their paths. */
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

/** Rewrites an invalid address into a valid form, if there is one. */
function rewritten(value: unknown, isTaken: (text: string) => boolean, rewrite: (url: URL) => string): unknown {
  if (typeof value !== 'string' || isTaken(value) || !URL.canParse(value)) return value;
  const other = rewrite(new URL(value));
  return isTaken(other) ? other : value;
}

/** Removes trailing slashes and an empty query and fragment, which version 0.1 accepted and ignored. */
function plainAddressOf({ href }: URL): string {
  return href.replace(/[?#]+$/, '').replace(/\/+$/, '');
}

function addressOf({ href }: URL): string {
  return href.replaceAll("'", '%27');
}
