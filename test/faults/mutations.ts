/** The guard with one law broken each, to show that the harnesses see. */
export interface Mutation {
  /** The law or rule that it breaks. */
  readonly law: string;
  readonly breaks: string;
  readonly file: string;
  /** Each stands exactly once in the file; a mutation that does not fit any more has to be written anew. */
  readonly edits: readonly (readonly [from: string, to: string])[];
  /** Which harness has to object. */
  readonly harness: 'crash' | 'kill' | 'races' | 'hostile' | 'text' | 'months';
}

export const MUTATIONS: readonly Mutation[] = [
  {
    law: 'law 1',
    breaks: 'Qonversion is touched without a word in the ledger',
    file: 'functions/guard/pass/execute.ts',
    edits: [
      [
        '  const written = await ports.ledger.write(project.name, itemOf(before, intent), version, expiresAt);',
        '  const written = version as number;',
      ],
    ],
    harness: 'crash',
  },
  {
    law: 'law 1',
    breaks: 'the intent is settled before the alert is accepted',
    file: 'functions/guard/pass/execute.ts',
    edits: [
      [
        '  const told = await tell(\n    ports,',
        '  const told = new Set(events.map(({ id }) => id));\n  const tellLate = () => tell(\n    ports,',
      ],
      ['  const done = new Map(finished', '  await tellLate();\n  const done = new Map(finished'],
    ],
    harness: 'crash',
  },
  {
    law: 'law 1',
    breaks: 'an alert that was refused counts as told',
    file: 'functions/guard/pass/execute.ts',
    edits: [
      [
        "  if (!item.events.every(({ id }) => accepted.has(id))) return 'the alert was not accepted; the next pass tells it';",
        '',
      ],
    ],
    harness: 'crash',
  },
  {
    law: 'law 1',
    breaks: 'the same thing has another id each time',
    file: 'functions/guard/model/event.ts',
    edits: [['JSON.stringify(identity)', 'JSON.stringify([identity, seed.time, Math.random()])']],
    harness: 'months',
  },
  {
    law: 'law 1',
    breaks: 'an act whose outcome is in doubt is forgotten',
    file: 'functions/guard/pass/execute.ts',
    edits: [['changedNothing(error) ? null : { ...intent, owed: [], failedAt }', 'null']],
    harness: 'months',
  },
  {
    law: 'law 1',
    breaks: 'what was begun with an integration that one list had lost is forgotten',
    file: 'functions/guard/policy/decide.ts',
    edits: [
      [
        '  const leaves = intent === null || intent.act === null || underWayStill ? null : { ...intent, owed: [] };',
        '  const leaves = null;',
      ],
    ],
    harness: 'crash',
  },
  {
    law: 'law 2',
    breaks: 'a ledger write does not name the version that was read',
    file: 'test/support/memory-ports.ts',
    edits: [
      [
        "      if ((known?.version ?? null) !== expected) throw new LostRaceError('written by another pass');",
        '      void LostRaceError;\n      void expected;',
      ],
    ],
    harness: 'races',
  },
  {
    law: 'law 2',
    breaks: 'an intent is taken up while its pass may still run',
    file: 'functions/guard/policy/resolve.ts',
    edits: [
      [
        '  return Math.abs(Date.parse(now) - Date.parse(intent.decidedAt)) < PASS_TIME_LIMIT_SECONDS * 1_000;',
        '  return now === "";',
      ],
    ],
    harness: 'races',
  },
  {
    law: 'law 2',
    breaks: 'a list that is older than the ledger is believed',
    file: 'functions/guard/pass/run-pass.ts',
    edits: [['  return isQuiet(first.plan) ? first : planFrom(await ports.api.list());', '  return first;']],
    harness: 'races',
  },
  {
    law: 'law 3',
    breaks: 'a quiet pass writes',
    file: 'functions/guard/policy/decide.ts',
    edits: [
      ['!interrupted && ruling.act === undefined', "record.id === '' && !interrupted && ruling.act === undefined"],
    ],
    harness: 'crash',
  },
  {
    law: 'law 4',
    breaks: 'redirects are followed',
    file: 'functions/qonversion/client.ts',
    edits: [["      redirect: 'manual',", "      redirect: 'follow',"]],
    harness: 'hostile',
  },
  {
    law: 'law 4',
    breaks: 'the key is logged',
    file: 'functions/qonversion/client.ts',
    edits: [
      [
        '`Qonversion could not be reached for $' + '{request.what}:',
        '`Qonversion could not be reached with $' + '{key.reveal()} for $' + '{request.what}:',
      ],
    ],
    harness: 'hostile',
  },
  {
    law: 'law 5',
    breaks: 'credentials are passed on',
    file: 'functions/guard/text/sanitize.ts',
    edits: [['shorten(redactCredentials(plain), maxLength)', 'shorten(plain, maxLength)']],
    harness: 'text',
  },
  {
    law: 'law 5',
    breaks: 'terminal escapes and direction marks are passed on',
    file: 'functions/guard/text/sanitize.ts',
    edits: [
      [
        "stripVTControlCharacters(raw).replace(INVISIBLE, '').replace(SPACE_OR_CONTROL, ' ')",
        'stripVTControlCharacters(raw)',
      ],
    ],
    harness: 'text',
  },
  {
    law: 'law 6',
    breaks: 'a 200 whose record does not show the state is a success',
    file: 'functions/qonversion/client.ts',
    edits: [['      if (record.id !== id || record.active !== status) {', "      if (record.id === '') {"]],
    harness: 'hostile',
  },
  {
    law: 'law 6',
    breaks: 'there is no end to a body',
    file: 'functions/qonversion/client.ts',
    edits: [['    if (size > maxBytes) {', '    if (size < 0) {']],
    harness: 'hostile',
  },
  {
    law: 'law 6',
    breaks: 'waits are as long as the API asks for',
    file: 'functions/qonversion/client.ts',
    edits: [['(ms) => ms <= Math.min(LONGEST_RETRY_AFTER_MS, options.remainingMs())', '() => true']],
    harness: 'hostile',
  },
  {
    law: 'law 7',
    breaks: 'a pass that cannot run says nothing',
    file: 'functions/guard/pass/run-pass.ts',
    edits: [
      [
        '    const done = await carryOut(ports, project, [], decision, time);',
        '    const done = await carryOut(ports, project, [], { ...decision, quiet: true }, time);',
      ],
    ],
    harness: 'months',
  },
  {
    law: 'rule 1',
    breaks: 'the raw count is judged instead of the fresh failures',
    file: 'functions/guard/policy/figures.ts',
    edits: [
      [
        '  const freshErrors = record.delivery_error_count - baseline;',
        '  const freshErrors = record.delivery_error_count;',
      ],
    ],
    harness: 'months',
  },
  {
    law: 'rule 2',
    breaks: 'a burst is an outage',
    file: 'functions/guard/policy/figures.ts',
    edits: [
      [
        'freshErrors >= policy.errorThreshold && failingMinutes >= policy.failingForMinutes',
        'freshErrors >= policy.errorThreshold',
      ],
    ],
    harness: 'months',
  },
  {
    law: 'rule 2',
    breaks: 'minutes are counted on a clock that is off',
    file: 'functions/guard/pass/execute.ts',
    edits: [
      [
        '  return { startedAt: plusMs(startedAt, clockAheadMs), now: () => plusMs(ports.clock.now(), clockAheadMs) };',
        '  return { startedAt: plusMs(startedAt, clockAheadMs * 0), now: () => plusMs(ports.clock.now(), 0) };',
      ],
    ],
    harness: 'months',
  },
  {
    law: 'rule 3',
    breaks: 'what is over the limits is left on',
    file: 'functions/guard/policy/figures.ts',
    edits: [['freshErrors >= policy.errorThreshold &&', 'freshErrors >= policy.errorThreshold * 2 &&']],
    harness: 'months',
  },
  {
    law: 'rule 4',
    breaks: 'an operator who re-activates is fought',
    file: 'functions/guard/policy/transitions.ts',
    edits: [
      [
        "    case 'open':\n      return ruleReactivated(item, circuit);",
        "    case 'open':\n      return ruleClosed({ ...item, before: BLANK_SETTLED, context: { ...item.context, stampsTell: false } });",
      ],
    ],
    harness: 'months',
  },
  {
    law: 'rule 4',
    breaks: 'what came and went between two passes is not noticed',
    file: 'functions/guard/policy/transitions.ts',
    edits: [
      [
        '  if (!failing || !changedUnseen(record, entry, policy, context)) return entry;',
        '  if (failing || !changedUnseen(record, entry, policy, context)) return entry;',
      ],
    ],
    harness: 'races',
  },
  {
    law: 'rule 5',
    breaks: "an operator's pause is undone by a trial",
    file: 'functions/guard/policy/resolve.ts',
    edits: [
      [
        '  if (!isLater(record.updated_at, act.updatedAt)) return true;\n  const changedAt',
        '  if (intent.decidedAt !== "") return true;\n  const changedAt',
      ],
    ],
    harness: 'races',
  },
  {
    law: 'rule 6',
    breaks: 'a suspension is told in every pass',
    file: 'functions/guard/policy/transitions.ts',
    edits: [
      [
        "  const seed = { episode: next.episode, ordinal: next.failedProbes, reason, figures, nextProbeAt: retry };\n  const events = [event(item, { ...seed, type: 'integration.suspended' })];",
        "  const seed = { episode: context.now, ordinal: next.failedProbes, reason, figures, nextProbeAt: retry };\n  const events = [event(item, { ...seed, type: 'integration.suspended' })];",
      ],
      ["  if (circuit.state === 'open' && circuit.by === 'qonversion') return ruleOpen(item, circuit);", ''],
    ],
    harness: 'months',
  },
  {
    law: 'rule 7',
    breaks: 'a trial does not wait for its cooldown',
    file: 'functions/guard/policy/circuit.ts',
    edits: [['recovery.cooldownMinutes * recovery.backoff ** circuit.failedProbes', 'recovery.cooldownMinutes']],
    harness: 'months',
  },
  {
    law: 'rule 7',
    breaks: 'what somebody paused again is re-activated on trial',
    file: 'functions/guard/policy/transitions.ts',
    edits: [
      [
        "  if (circuit.by === 'guard' && changedSince(record, item.before.baseline)) return ruleLeftToPeople(item, circuit);",
        '  void ruleLeftToPeople;',
      ],
    ],
    harness: 'races',
  },
  {
    law: 'rule 8',
    breaks: 'there is no blast radius',
    file: 'functions/guard/pass/plan.ts',
    edits: [
      [
        '  const held = wanted > allowed && options.force !== true;',
        '  const held = wanted > allowed * 1_000 && options.force !== true;',
      ],
    ],
    harness: 'months',
  },
  {
    law: 'rule 9',
    breaks: 'an id leads to another endpoint',
    file: 'functions/qonversion/schema.ts',
    edits: [['/^(?!\\.{1,2}$)[a-zA-Z0-9._-]{1,256}$/', '/^[a-zA-Z0-9._-]{1,256}$/']],
    harness: 'hostile',
  },
  {
    law: 'law 5',
    breaks: "the panel takes somebody else's text for markup",
    file: 'functions/panel/html.ts',
    edits: [['return htmlEscape(String(insert));', 'return String(insert);']],
    harness: 'text',
  },
  {
    law: 'law 5',
    breaks: "a chat channel takes somebody else's text for a mention",
    file: 'functions/messages/chat.ts',
    edits: [[".replace(/@/g, '＠')", '']],
    harness: 'text',
  },
];
