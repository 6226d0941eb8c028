/** A change that breaks one law of the guard. A harness must detect it. */
export interface Mutation {
  /** The law or rule that it breaks. */
  readonly law: string;
  readonly breaks: string;
  readonly file: string;
  /** Each `from` must occur exactly once in the file. If a change of the code moves it, rewrite the edit. */
  readonly edits: readonly (readonly [from: string, to: string])[];
  /** The harness that must detect it. */
  readonly harness: 'crash' | 'kill' | 'races' | 'chaos' | 'hostile' | 'text' | 'months' | 'security';
}

export const MUTATIONS: readonly Mutation[] = [
  {
    law: 'law 1',
    breaks: 'the request is sent before the attempt is written',
    file: 'functions/guard/pass/execute.ts',
    edits: [
      ['    const written = await put(leaseFrom(time.now()));\n', ''],
      [
        'await request(entry);\n    return { ...asked',
        'await request(entry);\n    const written = await put(leaseFrom(time.now()));\n    return { ...asked',
      ],
    ],
    harness: 'crash',
  },
  {
    law: 'law 1',
    breaks: 'an alert that was refused counts as delivered',
    file: 'functions/guard/pass/execute.ts',
    edits: [
      [
        '  const outbox = boundOutbox(deliveries.remaining(begun.entry.outbox));',
        '  const outbox = begun.entry.outbox.slice(0, 0);',
      ],
    ],
    harness: 'chaos',
  },
  {
    law: 'law 1',
    breaks: 'the outcome is not written when SNS refuses',
    file: 'functions/guard/pass/execute.ts',
    edits: [
      [
        '  let problem = outbox.length === 0 ? null : UNDELIVERED;',
        "  let problem = outbox.length === 0 ? null : UNDELIVERED;\n  if (outbox.length > 0) return { outcome: 'unsettled', problem };",
      ],
    ],
    harness: 'races',
  },
  {
    law: 'law 1',
    breaks: 'a probe that an operator has ended is not announced',
    file: 'functions/guard/policy/resolve.ts',
    edits: [['leaveToOperator(withAlerts(entry, alerts), attempt', 'leaveToOperator(entry, attempt']],
    harness: 'chaos',
  },
  {
    law: 'law 1',
    breaks: 'two failures in one outage have the same ID',
    file: 'functions/guard/policy/resolve.ts',
    edits: [["ordinal: opened === ''", "ordinal: opened !== 'never'"]],
    harness: 'chaos',
  },
  {
    law: 'law 1',
    breaks: 'an outage of an ignored integration ends without an event',
    file: 'functions/guard/policy/operator.ts',
    edits: [
      ['return { ...verdict, alerts: [event], next: resetEntry(entry', 'return { ...verdict, next: resetEntry(entry'],
    ],
    harness: 'chaos',
  },
  {
    law: 'law 1',
    breaks: 'an operator who resumes an active integration ends no episode',
    file: 'functions/guard/policy/operator.ts',
    edits: [["record.active === 1 && state.name === 'closed'", 'record.active === 1']],
    harness: 'chaos',
  },
  {
    law: 'law 1',
    breaks: 'alerts of earlier passes are not delivered',
    file: 'functions/guard/policy/decide.ts',
    edits: [['quiet: !changed && current.outbox.length === 0', 'quiet: !changed']],
    harness: 'races',
  },
  {
    law: 'law 1',
    breaks: 'the same event has another ID each time',
    file: 'functions/guard/model/event.ts',
    edits: [['JSON.stringify(identity)', 'JSON.stringify([identity, seed.time, Math.random()])']],
    harness: 'months',
  },
  {
    law: 'law 1',
    breaks: 'an attempt with an unknown outcome is forgotten',
    file: 'functions/guard/policy/resolve.ts',
    edits: [['return { ...entry, attempt: { ...attempt, failedAt: now } };', 'return { ...entry, attempt: null };']],
    harness: 'chaos',
  },
  {
    law: 'law 1',
    breaks: 'a pause that was refused is announced',
    file: 'functions/guard/policy/resolve.ts',
    edits: [
      [
        "    case 'refused':\n      return withoutAttempt(entry);",
        "    case 'refused':\n      return tookEffect(entry, attempt, attempt.state.mark, attempt.alerts);",
      ],
    ],
    harness: 'chaos',
  },
  {
    law: 'law 1',
    breaks: 'an attempt is forgotten while its record is missing',
    file: 'functions/guard/policy/resolve.ts',
    edits: [
      [
        ': { ...withAlerts(entry, attempt.alerts.map(unseen)), attempt: { ...attempt, alerts: [] } };',
        ': { ...withAlerts(entry, attempt.alerts.map(unseen)), attempt: null };',
      ],
    ],
    harness: 'crash',
  },
  {
    law: 'law 2',
    breaks: 'a ledger write is unconditional',
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
    breaks: 'a lease is taken over while its pass may still run',
    file: 'functions/guard/model/lease.ts',
    edits: [['return leftMs > 0 &&', 'return leftMs > 1e12 &&']],
    harness: 'races',
  },
  {
    law: 'law 3',
    breaks: 'a quiet pass writes',
    file: 'functions/guard/policy/decide.ts',
    edits: [['  const changed = differs || expiryMoves;', '  const changed = differs || !expiryMoves;']],
    harness: 'chaos',
  },
  {
    law: 'law 7',
    breaks: 'if one audience refuses, the others get everything again',
    file: 'functions/guard/pass/deliver.ts',
    edits: [['return [this.#accepted.has(item.event.id) ? { ...item, undelivered } : item];', 'return [item];']],
    harness: 'races',
  },
  {
    law: 'law 4',
    breaks: 'the key stays in the answers',
    file: 'functions/qonversion/client.ts',
    edits: [['rest = remover.removeFrom(rest);', 'if (remover === undefined) return rest;']],
    harness: 'security',
  },
  {
    law: 'law 4',
    breaks: 'a message shows a shared secret',
    file: 'functions/qonversion/secret-key.ts',
    edits: [['if (value === undefined) return fail(', 'if (value === undefined) return fail(content + ']],
    harness: 'security',
  },
  {
    law: 'law 4',
    breaks: 'a part of the key is not removed',
    file: 'functions/qonversion/key-remover.ts',
    edits: [['const MIN_RUN = 12;', 'const MIN_RUN = 1_200;']],
    harness: 'security',
  },
  {
    law: 'law 4',
    breaks: 'redirects are followed',
    file: 'functions/qonversion/http.ts',
    edits: [
      ['const answer = await answerTo(request, body);', 'let answer = await answerTo(request, body);'],
      [
        '    const status = answer.statusCode ?? 0;',
        '    const to = answer.headers.location;\n    if (to !== undefined) answer = await answerTo(httpRequest(to, options), body);\n    const status = answer.statusCode ?? 0;',
      ],
    ],
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
    breaks: 'credentials are not redacted',
    file: 'functions/guard/text/sanitize.ts',
    edits: [['shorten(redactCredentials(normalise(text)), maxLength)', 'shorten(normalise(text), maxLength)']],
    harness: 'text',
  },
  {
    law: 'law 5',
    breaks: 'terminal escapes and direction marks are not removed',
    file: 'functions/guard/text/normalise.ts',
    edits: [
      ["    .replace(UNSEEN, '')\n", ''],
      ["    .replace(GAP, ' ')\n", ''],
    ],
    harness: 'text',
  },
  {
    law: 'law 6',
    breaks: 'a 200 whose record does not show the state is a success',
    file: 'functions/qonversion/client.ts',
    edits: [['    if (record.id !== id || record.active !== status) {', "    if (record.id === '') {"]],
    harness: 'hostile',
  },
  {
    law: 'law 6',
    breaks: 'the client reads an endless body',
    file: 'functions/qonversion/http.ts',
    edits: [['if (size > maxBytes)', 'if (size < 0)']],
    harness: 'hostile',
  },
  {
    law: 'law 6',
    breaks: 'a wait has no limit',
    file: 'functions/qonversion/client.ts',
    edits: [['(ms) => ms <= Math.min(MAX_RETRY_AFTER_MS, options.remainingMs())', '() => true']],
    harness: 'hostile',
  },
  {
    law: 'law 7',
    breaks: 'a pass that cannot run sends no alert',
    file: 'functions/guard/pass/run-pass.ts',
    edits: [
      [
        'execute(ports, project, failed.decisions, failed.projectDecision, time)',
        'execute(ports, project, failed.decisions, null, time)',
      ],
    ],
    harness: 'months',
  },
  {
    law: 'rule 1',
    breaks: 'the raw count replaces the fresh errors',
    file: 'functions/guard/policy/figures.ts',
    edits: [['  return deliveredSince(record, mark) ? 0 : mark.count;', '  return mark.count * 0;']],
    harness: 'months',
  },
  {
    law: 'rule 2',
    breaks: 'a burst is enough for a pause',
    file: 'functions/guard/policy/figures.ts',
    edits: [
      ['freshErrors >= errorThreshold && failingMinutes >= failingForMinutes;', 'freshErrors >= errorThreshold;'],
    ],
    harness: 'months',
  },
  {
    law: 'rule 2',
    breaks: 'silence before the first failure lengthens the span',
    file: 'functions/guard/policy/figures.ts',
    edits: [['since: isFirstPass ? begin : latest(now, lastErrorAt)', 'since: begin']],
    harness: 'months',
  },
  {
    law: 'rule 2',
    breaks: 'the first look waits for observations',
    file: 'functions/guard/pass/plan.ts',
    edits: [['    isFirstPass: known.listed === null,', '    isFirstPass: false,']],
    harness: 'months',
  },
  {
    law: 'rule 2',
    breaks: 'a delivery does not end a stretch of failures',
    file: 'functions/guard/policy/figures.ts',
    edits: [['known !== null && !deliveredSince(record, known)', 'known !== null']],
    harness: 'months',
  },
  {
    law: 'rule 4',
    breaks: 'an integration with low traffic is never paused',
    file: 'functions/guard/policy/figures.ts',
    edits: [['    overLimits: over || rareOver,', '    overLimits: over,']],
    harness: 'months',
  },
  {
    law: 'rule 2',
    breaks: 'minutes are counted on a wrong clock',
    file: 'functions/guard/pass/time-budget.ts',
    edits: [['  const aheadMs = trustedSkew(clockAheadMs);', '  const aheadMs = trustedSkew(clockAheadMs) * 0;']],
    harness: 'months',
  },
  {
    law: 'rule 3',
    breaks: 'an integration over the limits is left on',
    file: 'functions/guard/policy/figures.ts',
    edits: [['const over = freshErrors >= errorThreshold &&', 'const over = freshErrors >= errorThreshold * 2 &&']],
    harness: 'months',
  },
  {
    law: 'rule 5',
    breaks: 'an integration that an operator resumed is paused again',
    file: 'functions/guard/policy/transitions.ts',
    edits: [
      [
        '1: reactivated,     2: suspendedWhileOpen',
        "1: (situation) => whenClosed({ ...situation, changedAt: null, entry: BLANK_ENTRY }, { name: 'closed', mark: NO_MARK }), 2: suspendedWhileOpen",
      ],
      ['import type { Active }', "import { BLANK_ENTRY, NO_MARK } from '../model/entry.ts';\nimport type { Active }"],
    ],
    harness: 'chaos',
  },
  {
    law: 'rule 5',
    breaks: 'an operator’s change between two passes is not noticed',
    file: 'functions/guard/policy/when-closed.ts',
    edits: [['  return failing &&\n    changedBetweenPasses(', '  return !failing &&\n    changedBetweenPasses(']],
    harness: 'races',
  },
  {
    law: 'rule 6',
    breaks: "an operator's pause is undone by a probe",
    file: 'functions/guard/policy/resolve.ts',
    edits: [
      [
        '  const changedAt = Date.parse(record.updated_at);',
        "  if (attempt.at !== '') return true;\n  const changedAt = Date.parse(record.updated_at);",
      ],
    ],
    harness: 'races',
  },
  {
    law: 'rule 7',
    breaks: 'a suspension is announced in every pass',
    file: 'functions/guard/policy/transitions.ts',
    edits: [
      [
        '0: isolate,      1: reactivated,     2: whenOpen',
        '0: isolate, 1: reactivated, 2: (situation) => suspended({ ...situation, record: { ...situation.record, last_delivery_at: situation.now } })',
      ],
    ],
    harness: 'chaos',
  },
  {
    law: 'rule 8',
    breaks: 'a probe does not wait for its cooldown',
    file: 'functions/guard/policy/circuit.ts',
    edits: [['recovery.cooldownMinutes * recovery.backoff ** failedProbes', 'recovery.cooldownMinutes']],
    harness: 'months',
  },
  {
    law: 'rule 8',
    breaks: 'one delivery is a recovery',
    file: 'functions/guard/policy/when-half-open.ts',
    edits: [
      [
        '  if (delivering === null || delivering.since === now) return false;',
        '  if (delivering !== null) return true;',
      ],
    ],
    harness: 'months',
  },
  {
    law: 'rule 8',
    breaks: 'a failed probe begins another outage',
    file: 'functions/guard/policy/circuit.ts',
    edits: [['failedProbes: state.failedProbes + 1, mark }', 'failedProbes: 0, mark }']],
    harness: 'months',
  },
  {
    law: 'rule 9',
    breaks: 'flapping is never reported',
    file: 'functions/guard/policy/flapping.ts',
    edits: [['const LIMIT = 5;', 'const LIMIT = 500;']],
    harness: 'months',
  },
  {
    law: 'rule 10',
    breaks: 'a shared outage holds nothing back',
    file: 'functions/guard/policy/when-closed.ts',
    edits: [
      ['  if (outage !== null && figures.freshErrors > 0) {', '  if (outage !== null && figures.freshErrors < 0) {'],
    ],
    harness: 'months',
  },
  {
    law: 'rule 10',
    breaks: 'an outage of a provider never ends',
    file: 'functions/guard/policy/provider-outage.ts',
    edits: [['return failing * 2 <= tried && (', 'return failing < 0 && (']],
    harness: 'months',
  },
  {
    law: 'rule 8',
    breaks: 'an integration that an operator paused again is probed',
    file: 'functions/guard/policy/when-open.ts',
    edits: [
      [
        "  if (state.by === 'guard' && changedSinceMark(situation)) return leaveToOperator(situation, state);",
        '  void leaveToOperator;',
      ],
    ],
    harness: 'chaos',
  },
  {
    law: 'rule 11',
    breaks: 'the blast radius has no limit',
    file: 'functions/guard/pass/plan.ts',
    edits: [
      [
        '  const allowed = blastRadius(policy, states.active);',
        '  const allowed = blastRadius(policy, states.active) * 1_000;',
      ],
    ],
    harness: 'months',
  },
  {
    law: 'rule 11',
    breaks: 'a hold ends as soon as some integrations deliver',
    file: 'functions/guard/policy/blast-radius.ts',
    edits: [['const CALM_MINUTES = 60;', 'const CALM_MINUTES = 0;']],
    harness: 'months',
  },
  {
    law: 'rule 12',
    breaks: 'a record that is older than the ledger is believed',
    file: 'functions/guard/policy/decide.ts',
    edits: [
      [
        '  if (!context.changeTimesShown || mark.changedAt === null',
        '  if (context.now !== null || mark.changedAt === null',
      ],
    ],
    harness: 'chaos',
  },
  {
    law: 'rule 12',
    breaks: 'a list that is older than an attempt decides its outcome',
    file: 'functions/guard/policy/decide.ts',
    edits: [
      [
        '  if (attempt === null || !listedUntil) return false;',
        '  if (attempt !== null || !listedUntil) return false;',
      ],
    ],
    harness: 'chaos',
  },
  {
    law: 'rule 12',
    breaks: 'a suddenly empty list sends no alert',
    file: 'functions/guard/policy/suspicious-list.ts',
    edits: [
      [
        '  const { count } = listedOf(listing);\n  const before',
        '  if (known !== null) return null;\n  const { count } = listedOf(listing);\n  const before',
      ],
    ],
    harness: 'crash',
  },
  {
    law: 'rule 13',
    breaks: 'a refused key is an alert for each integration',
    file: 'functions/guard/pass/execute.ts',
    edits: [
      ["    if (answer.outcome === 'key-refused') {", "    if (answer.outcome === 'key-refused' && id === '') {"],
      ['{ kind: answer.outcome }, context);\n    const policy', "{ kind: 'refused' }, context);\n    const policy"],
    ],
    harness: 'chaos',
  },
  {
    law: 'the daily summary',
    breaks: 'every pass repeats the stopped integrations',
    file: 'functions/guard/policy/notices.ts',
    edits: [['  if (notice === undefined) return true;', '  if (notice?.lastAt !== now) return true;']],
    harness: 'months',
  },
  {
    law: 'rule 12',
    breaks: 'an ID leads to another endpoint',
    file: 'functions/qonversion/schema.ts',
    edits: [['/^(?!\\.{1,2}$)[a-zA-Z0-9._-]{1,256}$/', '/^[a-zA-Z0-9._-]{1,256}$/']],
    harness: 'hostile',
  },
  {
    law: 'law 5',
    breaks: 'the panel does not escape text',
    file: 'functions/panel/html.ts',
    edits: [['return htmlEscape(String(insert));', 'return String(insert);']],
    harness: 'text',
  },
  {
    law: 'law 5',
    breaks: 'a chat notification does not escape mentions',
    file: 'functions/messages/chat.ts',
    edits: [[".replace(/@/g, '＠')", '']],
    harness: 'text',
  },
];
