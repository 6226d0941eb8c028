import { classifyName, isProse, isScheme, type NameKind, type Tie } from './credential-names.ts';

/**
 * Blanks out everything that is a credential or looks like one. In doubt it blanks, because an alert stays readable without the
 * value. Each step reads the text once. Idempotent.
 */
export function redactCredentials(text: string): string {
  return ONE_WORD.test(text) ? text : STEPS.reduce((result, step) => step(result), text);
}

/** Most names are one word, such as "Amplitude". */
const ONE_WORD = /^[A-Za-z]{0,15}$/;

const BLANKED = '[redacted]';

/** A placeholder of an earlier step, or of `redactPersonalData`. */
const PLACEHOLDER = /\[[a-z]{2,10}\]|\[?[a-z]{0,10}…$/y;

type Step = (text: string) => string;

const replacing =
  (pattern: RegExp, replacement: string): Step =>
  (text) =>
    text.replace(pattern, replacement);

// Addresses -------------------------------------------------------------------------------------------------------------------

/** `user:password@` in an address. A password may contain a slash or an at sign. */
const USER_INFO: readonly Step[] = [
  replacing(/:\/\/[^\s/?#"'<>\\]{1,200}@/g, `://${BLANKED}@`),
  replacing(/:\/\/(?!\[)[^\s/:@"'<>\\]{0,64}:(?!\d{1,5}(?:[/?#]|$))[^\s"'<>\\@]{1,128}@/g, `://${BLANKED}@`),
];

/** Addresses whose path or host is the credential. Slashes may be plain, escaped or percent-encoded. */
const HOOKS: readonly Step[] = [
  'hooks\\.slack(?:-gov)?\\.com/\\w{1,20}/',
  'discord(?:app)?\\.com/api/(?:v\\d{1,2}/)?webhooks/',
  'hooks\\.zapier\\.com/hooks/\\w{1,20}/',
  'hook\\.(?:\\w{1,8}\\.)?(?:make|integromat)\\.com/',
  'hook\\.(?:\\w{1,8}\\.)?make\\.celonis\\.com/',
  'n8n(?:\\.[\\w-]{1,40}){1,4}(?::\\d{1,5})?/(?:\\w{1,20}/)?webhook(?:-test|-waiting)?/',
  'webhook\\.office\\.com/',
  'outlook\\.office(?:365)?\\.com/webhook/',
  'logic\\.azure\\.com(?::\\d{1,5})?/workflows/',
  'powerplatform\\.com(?::\\d{1,5})?/(?:powerautomate/)?(?:automations/direct/)?workflows/',
  'maker\\.ifttt\\.com/trigger/[\\w-]{1,64}/(?:json/)?with/key/',
  'webhook\\.site/',
  'chat\\.googleapis\\.com/v1/spaces/',
  'api\\.telegram\\.org/bot',
  'events\\.pagerduty\\.com/integration/',
  '(?:hkdk\\.events|events\\.hookdeck\\.com/e|play\\.svix\\.com/in)/',
  'open\\.(?:feishu\\.cn|larksuite\\.com)/open-apis/bot/v2/hook/',
].map((address) =>
  replacing(
    new RegExp(`(${address.replaceAll('/', '(?:\\\\?/|%2f)')})(?!\\[redacted)[^\\s"'<>()\\[\\],;|\`]+`, 'gi'),
    `$1${BLANKED}`,
  ),
);

const HOOK_HOSTS = replacing(
  /(?<![\w.-])(?:[\w-]{1,63}\.)(m\.pipedream\.net|x\.requestbin\.net|(?:webhook|emailhook|dnshook)\.site)\b/gi,
  `${BLANKED}.$1`,
);

// Names and values ------------------------------------------------------------------------------------------------------------

const QUOTE = '(?:\\\\{0,4}["\'`]|%22|%27|&quot;|&#0{0,3}3[49];|[“”‘’«»„])';
const IS = '\\s(?:[Ii][Ss]|[Ww][Aa][Ss])(?:\\s?[:=])?\\s';
const SEPARATOR = `\\s{0,4}(?:=>|->|→|={1,3}|:=|::?(?!//)|%(?:25)?3[adAD]|\\\\{1,2}u003[adAD]|&#6[01];|&colon;|&equals;|[＝：])\\s{0,4}`;

/** A name and its separator: `name=`, `"name": "`, `name is `, `'name', '`, `Bearer `. */
const NAME = new RegExp(
  `(?<![\\p{L}\\p{N}_.$-])([\\p{L}\\p{N}_.$-]+)(?:${QUOTE}|[[\\])]){0,3}(${SEPARATOR}|(?<=["'])\\s?,\\s?(?=["'])|${IS}|\\s(?=\\S))`,
  'gu',
);

const OPENING = new RegExp(`[bu]?(${QUOTE})`, 'iy');
const CLOSING_OF: Readonly<Record<string, string>> = { '“': '”', '„': '“', '‘': '’', '«': '»' };
const MAX_QUOTED = 2_000;

/**
 * An unquoted value ends at a space or at the next field. At most this many of its characters are checked, so that a long value is
 * not read again for each name before it.
 */
const MAX_RUN = 256;
const RUN =
  /(?:[^\s"'`<>&;,%(){}[\]\\]|%(?!2[267c]|0[ad])|[,(){}\]](?=[^\s"'`,;.(){}[\]<&])|\\(?!["'nrt])|\[(?!redacted)){1,256}/iy;
const LIST = /\[[^\]]{1,500}\]?/y;
/** More words of a passphrase, up to the name of another field. */
const WORDS = /(?:\s(?![\p{L}\p{N}_.-]{1,40}(?:\s?[=:]|["']\s?:))[^\s"'`<>&;,|(){}[\]]{1,64}){1,11}/uy;
const PARAMETERS = /(?:[\s,]{0,3}[\w-]{1,40}=(?:"[^"]{0,400}"?|[^\s,"[]{1,400}))+/y;
const COOKIES = /(?=[^\s;=]{1,100}=)[^\s;"'<>[]+(?:;\s?[^\s;="'<>]{1,60}=[^\s;"'<>]*)*/y;
const SCHEME_WORD = /^[A-Za-z][\w-]{0,40}$/;

/** A pair of fields for the name and the value: `{"name": "api_key", "value": "…"}`, `key="ApiKey" value="…"`. */
const NAMES_OF_NAMES = /^(?:name|key|field|header|param|parameter|id)$/i;
const NAMES_OF_VALUES = /^(?:value|val|content|data)$/i;

/** Another name with its value, in the place where a value would be. */
const ATTRIBUTE = /^[\w.-]{1,40}=["']/;

interface Span {
  readonly from: number;
  readonly to: number;
}

/** Finds each name in the text and blanks its value if the name announces a secret. */
function redactValues(text: string): string {
  let result = '';
  let copied = 0;
  let announced: NameKind | null = null;
  NAME.lastIndex = 0;
  for (let match = NAME.exec(text); match !== null; match = NAME.exec(text)) {
    const [whole, word = '', separator = ''] = match;
    const at = match.index + whole.length;
    const tie = tieOf(separator);
    // "%26token": the name begins after the two digits of the percent-encoded sign.
    const begin = match.index + (text[match.index - 1] === '%' ? 2 : 0);
    const name = word.slice(begin - match.index);
    const before = text.slice(Math.max(0, begin - 48), begin);
    const named = NAMES_OF_NAMES.test(name) ? kindNamedAt(text, at) : null;
    const kind: NameKind | null =
      announced !== null && NAMES_OF_VALUES.test(name) ? announced : classifyName(name, before, tie);
    // An object may hold the value: `"token": { "value": … }`.
    announced = named ?? (kind !== null && text[at] === '{' ? kind : announced);
    const isOther = tie === 'space' && kind !== 'parameters' && ATTRIBUTE.test(text.slice(at, at + 44));
    const value = kind === null || named !== null || isOther ? null : valueAt(text, at, kind, separator);
    if (value !== null) {
      result += `${text.slice(copied, value.from)}${BLANKED}`;
      copied = value.to;
    }
    NAME.lastIndex = value?.to ?? at;
  }
  return result + text.slice(copied);
}

function tieOf(separator: string): Tie {
  if (separator.trim() === '') return 'space';
  return /^\s(?:is|was)/i.test(separator) ? 'is' : 'assigned';
}

/** The kind of a value that is itself the name of a field. */
function kindNamedAt(text: string, at: number): NameKind | null {
  const name = /^["'\\]{0,3}([\w.-]{1,64})/.exec(text.slice(at, at + 70))?.[1];
  return name === undefined ? null : classifyName(name, '', 'assigned');
}

/** The span to blank in the value that begins at `begin`; null: it is no secret. */
function valueAt(text: string, begin: number, kind: NameKind, separator: string): Span | null {
  const at = text[begin] === '(' ? begin + 1 : begin;
  const opening = stick(OPENING, text, at);
  if (opening !== null) {
    const from = at + opening.length;
    const to = closingAt(text, from, opening);
    const value = text.slice(from, to);
    return stick(PLACEHOLDER, text, from) === null && isSecretValue(value, kind, separator, true) ? { from, to } : null;
  }
  if (stick(PLACEHOLDER, text, at) !== null) return null;
  const items = stick(LIST, text, at);
  if (items !== null)
    return (kind === 'secret' || kind === 'phrase') && !isProse(items.replace(/^\[\s?["']?/, ''))
      ? { from: at, to: at + items.length }
      : null;
  if (kind === 'authorization') return authorizationAt(text, at, separator);
  const value = unquotedAt(text, at, kind);
  // In "secrets: token: …" the word is the name of a group.
  if (text[at + value.length] === ':' && SCHEME_WORD.test(value)) return null;
  if (!isSecretValue(value, kind, separator, false)) return null;
  if (kind === 'secret' && isScheme(value)) return authorizationAt(text, at, separator);
  return { from: at, to: endOfRun(text, at + value.length, value.length) };
}

/** The end of a value of which only `MAX_RUN` characters were checked. The whole value is blanked. */
function endOfRun(text: string, to: number, length: number): number {
  let end = to;
  for (let last = length; last >= MAX_RUN; end += last) last = stick(RUN, text, end)?.length ?? 0;
  return end;
}

function unquotedAt(text: string, at: number, kind: NameKind): string {
  const cookies = kind === 'cookie' ? stick(COOKIES, text, at) : null;
  if (cookies !== null) return cookies;
  const parameters =
    kind === 'parameters' && !/^realm=/i.test(text.slice(at, at + 6)) ? stick(PARAMETERS, text, at) : null;
  if (parameters !== null) return parameters;
  const run = stick(RUN, text, at) ?? '';
  const words = kind === 'phrase' && run !== '' ? (stick(WORDS, text, at + run.length) ?? '') : '';
  return `${run}${words}`.replace(/[.:]$/, '');
}

/** Blanks the text after a scheme, which stays readable. Without a scheme the whole value is blanked. */
function authorizationAt(text: string, at: number, separator: string): Span | null {
  const first = (stick(RUN, text, at) ?? '').replace(/:$/, '');
  if (first === '' || (isProse(first) && !isScheme(first))) return null;
  const next = at + first.length + (text[at + first.length] === ':' ? 1 : 0);
  if (SCHEME_WORD.test(first) && /\s/.test(text[next] ?? '')) {
    const from = next + 1;
    if (stick(PLACEHOLDER, text, from) !== null) return null;
    const opening = stick(OPENING, text, from);
    if (opening !== null) return { from: from + opening.length, to: closingAt(text, from + opening.length, opening) };
    const second = stick(PARAMETERS, text, from) ?? stick(RUN, text, from) ?? '';
    if (isProse(second)) return null;
    if (second !== '') {
      const more = stick(PARAMETERS, text, from + second.length) ?? '';
      const shown = `${second}${more}`.replace(/[.:]$/, '');
      return { from, to: endOfRun(text, from + shown.length, shown.length) };
    }
  }
  return isSecretValue(first, 'secret', separator, false)
    ? { from: at, to: endOfRun(text, at + first.length, first.length) }
    : null;
}

/** The end of the quoted text that begins at `from`: the closing quote, or the end of the text if it was cut. */
function closingAt(text: string, from: number, opening: string): number {
  const quote = opening.replace(/^[bu](?=.)/i, '');
  const closing = CLOSING_OF[quote] ?? quote;
  const within = text.slice(from, from + MAX_QUOTED);
  let end = within.indexOf(closing);
  while (end > 0 && closing.length === 1 && within[end - 1] === '\\') end = within.indexOf(closing, end + 1);
  return end === -1 ? text.length : from + end;
}

function isSecretValue(value: string, kind: NameKind, separator: string, quoted: boolean): boolean {
  if (value.trim() === '' || isProse(kind === 'authorization' ? withoutScheme(value) : value)) return false;
  const listed = separator.includes(',');
  switch (kind) {
    case 'phrase':
      return !(listed && FIELD.test(value));
    case 'secret':
    case 'authorization':
      return value.length >= 3 && !(listed && FIELD.test(value)) && !/^\d{1,6}$/.test(value);
    case 'weak':
      return value.length >= 3 && (separator.includes('=') || !IDENTIFIER.test(value)) && !/^\d{1,6}$/.test(value);
    case 'cookie':
      return value.includes('=') || looksGenerated(value);
    case 'code':
      return value.length >= 10;
    case 'bearer':
      return value.length >= 6 && !/^realm=/i.test(value);
    case 'bare-phrase':
      return (
        quoted ||
        (/^(?![\w.-]{1,40}=)(?=.*[\p{L}\p{N}]).{4}/u.test(value) &&
          /[\p{N}\p{P}\p{S}]/u.test(value.replace(/[.,:;!?)…]+$/, '')))
      );
    case 'scheme':
    case 'parameters':
      return !/^realm=/i.test(value) && (looksGenerated(value) || (value.length >= 8 && /\p{Ll}\p{Lu}/u.test(value)));
    case 'bare-secret':
      return looksGenerated(value);
  }
}

/** The value without a scheme, so that "Token expired" counts as prose and "Token abc" does not. */
function withoutScheme(value: string): string {
  const [first = '', ...rest] = value.split(' ');
  return isScheme(first) && rest.length > 0 ? rest.join(' ') : value;
}

/** Names of fields and events, which are not secrets. */
const IDENTIFIER = /^[a-z][a-z_.$]*$/;
const FIELD = /^[a-z]{1,9}(?:_[a-z]{1,20}){0,4}$/;

/** Whether a word looks generated. Needed after names that do not always announce a secret: "key 4f3a9c81". */
function looksGenerated(value: string): boolean {
  if (value.length < 6 || /^\p{L}+(?:[_.-]\p{L}+)*[_.-]?\d{0,4}$/u.test(value)) return false;
  return (/\d/.test(value) && /\p{L}/u.test(value)) || /^\w+=["\w]/.test(value);
}

function stick(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}

// Elements of XML -------------------------------------------------------------------------------------------------------------

function redactElements(text: string): string {
  return text.replace(
    /<([\p{L}\p{N}_.:-]{1,64})(\s[^<>]{0,120})?>([^<]{1,2000})(?=<\/|$)/gu,
    (whole, name: string, attributes: string | undefined, value: string) => {
      const kind = classifyName(name, '', 'assigned');
      return kind === null || PLACEHOLDER_ONLY.test(value) || !isSecretValue(value, kind, '=', true)
        ? whole
        : `<${name}${attributes ?? ''}>${BLANKED}`;
    },
  );
}

const PLACEHOLDER_ONLY = /^\[[a-z]{2,10}\]$/;

// Secrets without a name ------------------------------------------------------------------------------------------------------

const PRIVATE_KEY = replacing(
  /-----BEGIN [^-]{0,40}PRIVATE KEY[^-]{0,20}-----(?:(?!-----END )[\s\S])*(?:-----END [^-]{0,60}-----)?/g,
  BLANKED,
);

/** Options of one letter: `user:password` of `curl`, and passwords of database clients. */
const COMMANDS: readonly Step[] = [
  replacing(/(?<!\S)((?:-u|--user)\s["']?)(?!\[redacted)[^\s:"']{1,100}:[^\s"']{1,300}/g, `$1${BLANKED}`),
  replacing(
    /\b((?:mysql\w{0,10}|mariadb\w{0,10}|sshpass|redis-cli)\s(?:[^\s]{1,60}\s){0,6}?-[pa]\s?)(?!\[redacted)[^\s-]\S{2,100}/g,
    `$1${BLANKED}`,
  ),
];

const KNOWN: readonly Step[] = [
  // A user and a secret, separated by a colon.
  replacing(/(?<![\w.-])([\w.-]{1,64}\.mp-service-account):(?!\[redacted)[^\s@"']{4,200}/g, `$1:${BLANKED}`),
  // JSON Web Tokens.
  replacing(/(?<![\w-])eyJ[\w-]{4,}(?:\.[\w-]*){1,4}/g, BLANKED),
  // Vendors' prefixes: Qonversion and Stripe, AWS, Branch, PostHog, OneSignal, GitHub, Slack, Google, SendGrid and others.
  replacing(
    /(?:(?<![A-Za-z0-9])|(?<=%[\da-fA-F]{2}|\\u00[\da-f]{2}|\\[nrt]))(?:(?:test_|live_)?(?:sk|pk|rk|whsec|phc|phx|phs|phr|os_v2_(?:app|org)|(?:key|secret)_(?:live|test))_[\w-]{4,}|(?:AKIA|ASIA|AROA)[A-Z0-9]{12,}|(?:gh[pousr]_|github_pat_|glpat-|xox[a-z]-|xapp-|ya29\.|1\/\/0|AIza|SG\.|shp(?:at|ss|ca|pa)_|npm_|hf_|dop_v1_|NRAK-|key-(?=\w*\d)|pat-|sq0|EAA(?=\w{17}))[\w.~/-]{8,})/g,
    BLANKED,
  ),
  replacing(/(?<![\w-])[\w-]{8,24}:APA91b[\w-]{8,}/g, BLANKED),
  replacing(/\b[A-Fa-f0-9]{32,}\b/g, BLANKED),
];

const MIXED = /^(?=\D*\d)(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])/;
const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** Labels of IDs that a provider's support may ask for. Such IDs stay readable. */
const LABELLED =
  /(?:request|trace|correlation|transaction|event|message|span|incident|batch|operation|delivery|insert|ray)[\s_-]?(?:id|uuid)["']?\s?[:=#]?\s?["'([]?$/i;

/** Blanks long random words: keys without a vendor's prefix, and IDs without a label. */
function redactRandomWords(text: string): string {
  const blank = (word: string, at: number, whole: string): string =>
    (UUID.test(word) || looksRandom(word) || (word.length >= 40 && MIXED.test(word))) &&
    !LABELLED.test(whole.slice(Math.max(0, at - 24), at))
      ? BLANKED
      : word;
  return text.replace(/(?<![\w+/=.-])[\w+/-]{16,}={0,2}/g, blank).replace(/(?<![\w-])[\w-]{16,}={0,2}/g, blank);
}

/** Whether a word looks random: its characters often change between digits, small and capital letters. */
function looksRandom(word: string): boolean {
  let switches = 0;
  let previous = '';
  for (const character of word) {
    const kind = /\d/.test(character)
      ? 'digit'
      : /[a-z]/.test(character)
        ? 'small'
        : /[A-Z]/.test(character)
          ? 'capital'
          : '';
    const capitalised = previous === 'capital' && kind === 'small';
    if (kind !== previous && kind !== '' && previous !== '' && !capitalised) switches += 1;
    previous = kind;
  }
  return switches >= 4 && (word.length < 4 * (switches + 1) || /^(?:[A-Z\d]{20,}|[a-z\d]{20,})$/.test(word));
}

/** Texts without an address are returned at once, because each pattern would cost a search. */
function redactAddresses(text: string): string {
  if (!/\/|%2f|\.(?:net|site)\b/i.test(text)) return text;
  return [...USER_INFO, ...HOOKS, HOOK_HOSTS].reduce((result, step) => step(result), text);
}

const STEPS: readonly Step[] = [
  PRIVATE_KEY,
  redactAddresses,
  redactElements,
  ...COMMANDS,
  redactValues,
  ...KNOWN,
  redactRandomWords,
];
