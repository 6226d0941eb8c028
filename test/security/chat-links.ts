import { type GuardEvent, makeEvent } from '../../functions/guard/model/event.ts';
import { EVENT_TYPES, type EventType } from '../../functions/guard/model/event-catalogue.ts';
import type { IntegrationRecord } from '../../functions/guard/model/integration.ts';
import { type ChatNotification, toChatNotification } from '../../functions/messages/chat.ts';
import { createRandom, type Random } from '../faults/random.ts';
import { aFailingRecord, NOON, PANEL } from '../support/builders.ts';
import type { Kind } from './kind.ts';

/**
 * Links, mentions, emoji and markup that a chat service creates from text, in every field that external authors can
 * write.
 */
export const chatLinks: Kind = {
  name: 'chat-links',
  promise: 'No external text becomes a link, a mention, an emoji or markup in a chat notification.',
  attack: (size) => {
    const violations: string[] = [];
    const random = createRandom(7);
    let tried = 0;
    const tries = (text: string, type: EventType) => {
      for (const [field, events] of fieldsWith(text, type)) {
        tried += 1;
        const fault = faultOf(toChatNotification(events, CONTEXT), field === 'id');
        if (fault !== null) violations.push(`${JSON.stringify(text)} as ${field} of ${type}: ${fault}`);
      }
    };
    for (const part of PARTS) for (const around of PLACES) tries(around(part), random.pick(EVENT_TYPES));
    for (let run = 0; run < (size === 'quick' ? 150 : 4_000); run += 1)
      tries(anything(random), random.pick(EVENT_TYPES));
    for (const project of ['evil.example', 'www.evil.example', 'a@here']) {
      tried += 1;
      const fault = faultOf(
        toChatNotification([eventOf('integration.paused', {}, 'x')], { ...CONTEXT, project }),
        true,
      );
      if (fault !== null) violations.push(`project ${project}: ${fault}`);
    }
    return { tried, violations };
  },
};

const RUNBOOK = 'https://runbook.test/guard';
const CONTEXT = { project: 'production', place: null, stack: 'IntegrationGuard', runbook: RUNBOOK, panel: PANEL };

const PARTS: readonly string[] = [
  'http://evil.example',
  'https://evil.example/a?b=c#d',
  'HTTPS://EVIL.EXAMPLE',
  'ftp://evil.example',
  'slack://open',
  'http://1.2.3.4/x',
  'http://[::1]/',
  'www.evil.example',
  'evil.example',
  'Evil.Example',
  'evil.example/path',
  'a.b.evil.co.uk',
  'xn--e1afmkfd.xn--p1ai',
  'пример.рф',
  '例え.jp',
  'evil。example',
  'evil．example',
  'evil｡com',
  '1.2.3.4',
  '1.2.3.4:8080/x',
  'mailto:a@evil.example',
  'a@evil.example',
  'tel:+4930901820',
  'sms:12345',
  'javascript:alert(1)',
  'file:///etc/passwd',
  'data:text/html,x',
  ':smile:',
  ':+1:',
  ':100:',
  ':white_check_mark:',
  ':a-b_c:',
  '::skin-tone-2:',
  '@here',
  '@channel',
  '@everyone',
  '@SRE-Team',
  '<!channel>',
  '<!here|x>',
  '<@U012345>',
  '<#C012345>',
  '<!subteam^S0|x>',
  '<https://evil.example|click>',
  '<http://evil.example>',
  '&lt;!channel&gt;',
  '&#60;!here&#62;',
  '<at>SRE</at>',
  '<b>x</b>',
  '[click](https://evil.example)',
  '[a](b)',
  '![a](b)',
  '[a][b]',
  '[a]: b',
  '*bold*',
  '**bold**',
  '_it_',
  '__it__',
  '~strike~',
  '~~strike~~',
  '`code`',
  '```code```',
  'a ` b',
  '` http://evil.example `',
  '\\`x\\`',
  '# heading',
  '## heading',
  '> quote',
  '>>> quote',
  '- item',
  '* item',
  '+ item',
  '1. item',
  '12) item',
  '--- ',
  '===',
  '| a | b |',
];

const PLACES: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => `see ${text} now`,
  (text) => `(${text})`,
  (text) => `x ${text}.`,
  (text) => `${text} ${text}`,
];

const ALPHABET = [
  'a',
  'Evil',
  'com',
  '.',
  '.',
  ':',
  '/',
  '//',
  'http',
  'www',
  '@',
  'here',
  '<',
  '>',
  '!',
  '|',
  '[',
  ']',
  '(',
  ')',
  '*',
  '_',
  '~',
  '`',
  '#',
  '-',
  '+',
  '1',
  '10',
  ' ',
  ' ',
  '\n',
  '&',
  ';',
  'lt',
  '\\',
  '。',
  'é',
];

function anything(random: Random): string {
  return Array.from({ length: 1 + random.below(9) }, () => random.pick(random.oneIn(3) ? PARTS : ALPHABET)).join(
    random.pick(['', '', ' ']),
  );
}

function eventOf(
  type: EventType,
  fields: Partial<IntegrationRecord>,
  reason: string,
  provider = 'Amplitude',
): GuardEvent {
  const base = { type, project: 'production', time: NOON, episode: NOON, reason };
  return makeEvent(
    type.startsWith('integration.')
      ? { ...base, record: aFailingRecord(61, 48, fields) }
      : type.startsWith('provider.')
        ? { ...base, provider }
        : base,
  );
}

function* fieldsWith(text: string, type: EventType): Generator<readonly [string, readonly GuardEvent[]]> {
  const why = 'no delivery since noon';
  yield ['title', [eventOf(type, { title: text }, why)]];
  yield ['provider', [eventOf(type, { integration: text }, why, text)]];
  yield [
    'provider of two',
    [eventOf(type, { integration: text }, why, text), eventOf(type, { integration: text, id: 'other' }, why, text)],
  ];
  yield ['error', [eventOf(type, { last_error_message: text }, why)]];
  yield ['reason', [eventOf(type, {}, text)]];
  // An ID that the reference allows. The ledger may contain others.
  yield ['id', [eventOf(type, { id: text }, why)]];
}

/** A fault in the chat's rendering, apart from the guard's own links, emoji and headings. */
function faultOf({ content, metadata }: ChatNotification, codeIsFree: boolean): string | null {
  const lines = [
    content.title,
    ...content.description.split('\n'),
    ...content.nextSteps,
    ...content.keywords,
    metadata.summary,
  ];
  for (const line of lines) {
    const ours = line
      .replace(/ https:\/\/runbook\.test\/guard#[\w-]+$/, '')
      .replaceAll(PANEL.url, '')
      .replace(/^:(?:rotating_light|warning|information_source):/, '')
      .replace(/^\*[A-Z][A-Z ,-]*\*/, '')
      .replace(/^• /, '');
    if ((ours.split('`').length - 1) % 2 !== 0) return `an odd number of backticks in ${JSON.stringify(line)}`;
    // Readers copy commands and IDs, so they appear unchanged, as code.
    const text = ours.replace(/`npx integration-guard [^`]*`/g, '').replace(codeIsFree ? /`[^`]*`/g : /`/g, '');
    for (const [what, pattern] of MADE) if (pattern.test(text)) return `${what} in ${JSON.stringify(line)}`;
  }
  // The service groups messages by it, and does not document where it shows it.
  if (/[^\w/:.-]/.test(metadata.threadId)) return `external text in the thread ${JSON.stringify(metadata.threadId)}`;
  return null;
}

const MADE: readonly (readonly [string, RegExp])[] = [
  ['a link with a scheme', /[a-z][a-z0-9+.-]*:\/\/|\b(?:mailto|tel|sms|javascript|data|file):\S/i],
  ['a domain', /[\p{L}\p{N}]\.(?:\p{L}{2,}|xn--)/u],
  ['a domain with another full stop', /[\p{L}\p{N}][．｡]\p{L}{2,}|[a-z0-9]。[a-z]{2,}/iu],
  ['an address', /(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])/],
  ['an emoji', /(?<![\p{L}\p{N}:]):[a-z0-9_+'-]+:/iu],
  ['a mention or a tag', /[@<>]/],
  ['an entity', /&#?\w+;/],
  ['a link with a text', /[[\]]/],
  ['emphasis', /[*~]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/u],
  ['a heading, a quote, a rule or a list', /^\s*(?:#{1,6}\s|>|[-+*]\s|\d{1,9}[.)]\s|={3,}|-{3,}|\|)/],
];
