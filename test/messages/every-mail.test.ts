import { describe, expect, it } from 'vitest';
import { main } from '../../functions/cli/program.ts';
import { type GuardEvent, isAuditOnly } from '../../functions/guard/model/event.ts';
import { BUTTON, describeType, EVENT_TYPES, type EventType } from '../../functions/guard/model/event-catalogue.ts';
import { runOperatorCommand } from '../../functions/guard/pass/operator-command.ts';
import { toChatNotification } from '../../functions/messages/chat.ts';
import { toDigest } from '../../functions/messages/digest.ts';
import type { MessageContext } from '../../functions/messages/wording.ts';
import { badDay } from '../panel/scenes.ts';
import { PANEL } from '../support/builders.ts';
import { addBusy, createDefaultsHarness } from '../support/harness.ts';
import { unreachable } from '../support/memory-ports.ts';
import { anEvent } from './events.ts';

/** An operator who is woken by an alert has only a phone. Every type of event, alone or with others, must be enough for them. */

const ALERTED = EVENT_TYPES.filter((type) => !isAuditOnly({ type }));

const DEPLOYED: MessageContext = {
  project: 'production',
  place: 'account 123456789012, eu-west-1',
  stack: 'IntegrationGuard',
  runbook: null,
  panel: PANEL,
};

const CONTEXTS: Readonly<Record<string, MessageContext>> = {
  'a stack': DEPLOYED,
  'a stack with a runbook': { ...DEPLOYED, runbook: 'https://wiki.example.com/guard' },
  'a fleet': { ...DEPLOYED, project: 'acme', panel: { ...PANEL, ofFleet: true } },
  'one machine': { project: 'production', place: null, stack: null, runbook: null, panel: null },
  'one machine with a runbook': {
    project: 'production',
    place: null,
    stack: null,
    runbook: 'https://wiki.example.com/guard',
    panel: null,
  },
};

const many = (type: EventType, count: number, integration = 'Amplitude') =>
  Array.from({ length: count }, (_, index) => anEvent(type, { id: `${integration}-${index}`, integration }));

const SETS: Readonly<Record<string, (type: EventType) => readonly GuardEvent[]>> = {
  alone: (type) => [anEvent(type)],
  'of two': (type) => many(type, 2),
  'of three': (type) => many(type, 3),
  'of sixty': (type) => many(type, 60),
  'of two providers': (type) => [...many(type, 2), ...many(type, 2, 'Webhooks')],
  'with another': (type) => [anEvent('integration.recovered', { id: 'other' }), anEvent(type)],
};

interface Case {
  readonly name: string;
  readonly context: MessageContext;
  readonly events: readonly GuardEvent[];
}

function casesOf(type: EventType): readonly Case[] {
  return Object.entries(CONTEXTS).flatMap(([place, context]) =>
    Object.entries(SETS).map(([set, events]) => ({ name: `${set}, of ${place}`, context, events: events(type) })),
  );
}

/** The faults of a mail, as sentences. */
function faultsOf(text: string, context: MessageContext): readonly string[] {
  const lines = text.split('\n');
  const paragraphs = text.trimEnd().split('\n\n');
  const [link, place] = context.panel === null ? [null, paragraphs[0]] : paragraphs;
  const faults = [
    link === null || link === context.panel?.url ? '' : `the link is not alone on the first line: ${link}`,
    place?.includes(`roject ${context.project}`) === true ? '' : `the project is missing at the top: ${place}`,
    context.place === null || place?.toLowerCase().includes(context.place) === true ? '' : `no account: ${place}`,
    / ID\b|\bID /.test(text) ? 'a placeholder for an id' : '',
    /docs\/|\.md\b/.test(text) ? 'a path of the repository' : '',
    / {2}/.test(text) ? 'alignment by spaces' : '',
    text.includes('\n\n\n') ? 'more than one blank line' : '',
    context.panel === null && /phone|press /.test(text) ? 'a step for a phone without a panel' : '',
    lines.some((line) => line.startsWith('Do:')) ? '' : 'nothing to do, and not said',
  ];
  for (const line of lines) {
    const [url] = /https:\S+/.exec(line) ?? [];
    // Mail programs treat punctuation after a link as a part of the link, and break long links.
    if (url !== undefined && !line.endsWith(url)) faults.push(`text after a link: ${line}`);
    if (/[.,;:)]$/.test(url ?? '')) faults.push(`punctuation after a link: ${line}`);
    if (line.includes('npx ') && !/^npx integration-guard [\w-]/.test(line)) faults.push(`no line of its own: ${line}`);
    if (line.startsWith(' ')) faults.push(`an indented line: ${line}`);
    if (!line.startsWith('http') && !line.startsWith('npx') && line.length > 330) faults.push(`long: ${line}`);
  }
  return faults.filter((fault) => fault !== '');
}

describe('the mail', () => {
  it.each(ALERTED)(
    'of %s can be used on a phone, alone and with others, of a stack, a fleet and one machine',
    (type) => {
      const faults = casesOf(type).flatMap(({ name, events, context }) =>
        faultsOf(toDigest(events, context).text, context).map((fault) => `${name}: ${fault}`),
      );
      expect(faults).toEqual([]);
    },
  );

  it.each(ALERTED)('of %s names for each integration its own command, and the button of the panel', (type) => {
    const events = many(type, 3);
    const { text } = toDigest(events, DEPLOYED);
    for (const { ofIntegration, panel, run } of describeType(type).steps) {
      const [name, ...options] = run.split(' ');
      const end = [...options, '--project production --stack IntegrationGuard'].join(' ');
      const wanted = ofIntegration
        ? [0, 1, 2].map((index) => `\nnpx integration-guard ${name} Amplitude-${index} ${end}\n`)
        : [`\nnpx integration-guard ${name} ${end}\n`];
      for (const command of wanted) expect(text).toContain(command);
      if (panel !== null) expect(text).toContain(`On your phone, open the link at the top and ${panel}`);
    }
  });

  it.each(ALERTED)('of %s names only buttons that the panel has', (type) => {
    const { text } = toDigest([anEvent(type)], DEPLOYED);
    const named = [...text.matchAll(/press ([A-Z][a-z ]*?)(?: at|\.)/g)].map(([, label]) => label);
    expect(Object.values(BUTTON)).toEqual(expect.arrayContaining(named));
    // If the mail asks the reader to resume or pause, the reader can do so from a phone.
    const asked = /^Do: Fix .* (resume|pause) (?:it|them)/m.exec(text)?.[1];
    if (asked === 'resume' || asked === 'pause') expect(named).toContain(BUTTON[asked]);
  });

  it('of one integration says at which one to press the button', () => {
    expect(toDigest([anEvent('integration.paused')], DEPLOYED).text).toContain(
      'On your phone, open the link at the top and press Resume at Amplitude iOS (amp-ios).\n',
    );
  });

  it('of a fleet says how to open the project', () => {
    expect(toDigest([anEvent('integration.paused')], CONTEXTS['a fleet'] ?? DEPLOYED).text).toContain(
      'open the link at the top, enter acme as the project of the fleet, press Show and press Resume at',
    );
  });

  it('of sixty names ten commands, counts the rest of those it shows, and counts what it does not show', () => {
    const { text } = toDigest(many('integration.paused', 60), DEPLOYED);
    expect(text.match(/^npx integration-guard resume /gm)).toHaveLength(10);
    expect(text).toContain('The same for 50 more. Their ids:\nnpx integration-guard list --project production');
    expect(text).toContain('… and 20 more events. To see them all:\nnpx integration-guard history');
  });

  it('says what to do before the details of many', () => {
    const { text } = toDigest(many('integration.paused', 3), DEPLOYED);
    expect(text.indexOf('\nDo: ')).toBeLessThan(text.indexOf('\n• '));
    expect(text.indexOf('\nSince: 10:48 UTC')).toBeLessThan(text.indexOf('\nDo: '));
  });

  it('groups by provider and event, whenever each is probed, and says between when', () => {
    const events = many('integration.paused', 3).map((event, index) => ({
      ...event,
      nextProbeAt: `2026-11-23T1${3 + index}:00:00.000Z`,
    }));
    const { text } = toDigest(events, DEPLOYED);
    expect(text.match(/^PAUSED/gm)).toHaveLength(1);
    expect(text).toContain('Between 13:00 UTC and 15:00 UTC the guard probes');
  });

  it('says of an alert that comes late when it happened', () => {
    const late = { ...anEvent('integration.failing', { id: 'late' }), time: '2026-11-22T09:00:00.000Z' };
    const { text } = toDigest([late, anEvent('integration.paused')], DEPLOYED);
    expect(text.match(/^When: .*/gm)).toEqual(['When: 2026-11-22 09:00 UTC']);
  });

  it.each([
    ['HTTP 401 from upstream', 'Amplitude refuses the credentials'],
    ['status code: 404', 'Was the endpoint moved or deleted?'],
    ['410 Gone', 'Was the endpoint moved or deleted?'],
    ['HTTP/1.1 429 Too Many Requests', 'Raise its rate limit.'],
    ['HTTP 503 Service Unavailable', 'Is there an incident at Amplitude?'],
    ['timeout after 10 s', 'does not answer in time'],
    ['channel_is_archived', '404 or 410: the endpoint moved.'],
    ['no answer in 500 ms', '404 or 410: the endpoint moved.'],
  ])('explains the error %j', (last_error_message, hint) => {
    const { text } = toDigest([anEvent('integration.paused', { last_error_message })], DEPLOYED);
    expect(/^Check: (.*)$/m.exec(text)?.[1]).toContain(hint);
  });

  it('explains all errors when integrations have different ones', () => {
    const events = [
      anEvent('integration.paused', { id: 'a', last_error_message: 'HTTP 401' }),
      anEvent('integration.paused', { id: 'b', last_error_message: 'HTTP 503' }),
    ];
    expect(toDigest(events, DEPLOYED).text).toContain('Check: The last error. 401 or 403');
  });
});

describe('the reason of a real event', () => {
  /** The events of a day with every kind of problem, and of an hour without the API. */
  async function realEvents(): Promise<readonly GuardEvent[]> {
    const harness = await badDay();
    const { ports, project } = harness;
    await runOperatorCommand(ports, project, 'seg-stripe', 'resume');
    await runOperatorCommand(ports, project, 'bq-export', 'resume');
    harness.api.failList(unreachable());
    await harness.run(60);
    harness.api.failList(null);
    await harness.run(15);
    const outage = createDefaultsHarness();
    for (const id of ['a', 'b', 'c', 'd']) addBusy(outage, id);
    await outage.run(30);
    for (const id of ['a', 'b', 'c', 'd']) outage.world.breakDown(id, 'HTTP 503');
    await outage.run(60);
    for (const id of ['a', 'b', 'c', 'd']) outage.world.repair(id);
    await outage.run(90);
    return [...harness.alerts.events(), ...outage.alerts.events()];
  }

  it('says more than the label, and names a moment, a number or a cause', async () => {
    const events = await realEvents();
    const types = new Set(events.map(({ type }) => type));
    expect([...types]).toEqual(
      expect.arrayContaining([
        'guard.failing',
        'guard.recovered',
        'integration.flapping',
        'integration.paused',
        'integration.reactivated',
        'integration.recovered',
        'integration.suspended',
        'provider.down',
        'provider.recovered',
      ]),
    );
    for (const { type, reason } of events) {
      const said = new Set(describeType(type).label.split(' '));
      const more = reason.split(' ').filter((word) => !said.has(word) && !/^(?:it|is|are|passes|run|now)$/.test(word));
      expect(more.length, `${type}: ${reason}`).toBeGreaterThan(3);
    }
  });
});

describe('the lines for subjects and SMS', () => {
  const events = ALERTED.map((type, index) => anEvent(type, { id: `i${index}`, integration: `Provider ${index}` }));

  it('count what they have no room for', () => {
    const { subject, sms } = toDigest(events, DEPLOYED);
    expect(subject).toMatch(/^.{1,100}$/);
    expect(subject).toMatch(/, 1\d more events$/);
    expect(sms).toMatch(/^.{1,140}$/);
    expect(sms).toMatch(/, 1\d more events/);
  });

  it('of an SMS say where the guard runs, if there is room', () => {
    expect(toDigest([anEvent('integration.paused')], DEPLOYED).sms).toBe(
      'Integration Guard, production: Amplitude iOS paused, 61 failures (account 123456789012, eu-west-1)',
    );
  });
});

describe('the chat notification', () => {
  it.each(ALERTED)('of %s has link and place first, something to do, and no placeholder', (type) => {
    for (const { name, events, context } of casesOf(type)) {
      const { content } = toChatNotification(events, context);
      const lines = content.description.split('\n');
      const heading = [context.panel?.url, context.place === null ? undefined : `In ${context.place}`];
      const wanted = heading.filter((line) => line !== undefined);
      expect(lines.slice(0, wanted.length), name).toEqual(wanted);
      const all = [content.title, content.description, ...content.nextSteps].join('\n');
      expect(all, name).not.toMatch(/ ID\b|docs\/|\.md\b/);
      expect(content.nextSteps.length, name).toBeGreaterThan(0);
      if (context.panel === null) expect(all, name).not.toMatch(/the link at the top|press /);
    }
  });
});

describe('every command in a message', () => {
  const commands = new Set(
    ALERTED.flatMap(casesOf)
      .filter(({ context }) => context.stack === null)
      .flatMap(({ events, context }) => [
        ...(toDigest(events, context).text.match(/^npx .*$/gm) ?? []),
        ...toChatNotification(events, context).content.nextSteps.flatMap((step) => step.match(/npx [^`]*/g) ?? []),
      ]),
  );

  it('is understood by the command line', async () => {
    expect(commands.size).toBeGreaterThan(50);
    for (const command of commands) {
      const [npx, name, ...words] = command.split(' ');
      expect([npx, name]).toEqual(['npx', 'integration-guard']);
      let out = '';
      // Without a key the command makes no request, so only faults of its words remain.
      await main([...words, ...(words.includes('--json') ? [] : ['--json'])], {
        out: (text) => {
          out += text;
        },
        err: () => undefined,
        columns: 80,
        variables: { GUARD_SETTINGS: 'cdk.json' },
        progress: () => () => undefined,
      });
      const { error } = JSON.parse(out) as { error?: { name: string; message: string } };
      expect(error?.name, `${command}: ${error?.message}`).not.toBe('UsageError');
      expect(error?.message).toContain('QONVERSION_SECRET_KEY');
    }
  });
});
