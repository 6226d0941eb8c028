/**
 * Templates, bundles and terminals show settings, so settings hold only names of secrets. This file recognises secrets by their
 * form. When in doubt it refuses: a name can be changed.
 */

/** The kind of secret, for the message. */
export const CREDENTIAL = 'the credential itself';

/** The kind of secret, for the message. */
export const WEBHOOK = 'a webhook address whose path or query is a secret';

/** The kind of secret that a text looks like; null when it does not look like one. */
export function secretIn(text: string): string | null {
  for (const spelling of spellingsOf(text)) {
    const found = FORMS.find(([, pattern]) => pattern.test(spelling));
    if (found !== undefined) return found[0];
  }
  return null;
}

/** The kind of secret in a comment of a settings file. It checks each word alone, because joined ordinary words can look like one. */
export function secretInComment(text: string): string | null {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY/.test(text)) return 'a private key';
  for (const word of text.split(/\s+/)) {
    const found = secretIn(word);
    if (found !== null) return found;
  }
  return null;
}

/** No setting is longer. */
const EXAMINED_CHARACTERS = 20_000;

/** The text itself, without invisible characters, percent-decoded, and base64-decoded. */
function spellingsOf(text: string): readonly string[] {
  const given = text.slice(0, EXAMINED_CHARACTERS);
  const visible = given.normalize('NFKC').replace(/[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Zs}]/gu, '');
  const decoded = decodePercents(decodePercents(visible));
  // A slash may belong to base64 or separate the parts of a name.
  const runs = [...given.matchAll(/[\w+/-]{16,}/g), ...given.matchAll(/[\w+-]{16,}/g)].map(([run]) => run);
  const encoded = runs.flatMap((run) => [
    Buffer.from(run, 'base64'),
    Buffer.from(/^[0-9a-f]+$/i.test(run) ? run : '', 'hex'),
  ]);
  const plain = encoded.map((bytes) => bytes.toString('latin1').trim()).filter((text) => /^[\x20-\x7e]+$/.test(text));
  return [given, visible, decoded, withPlainHosts(decoded), [...visible].reverse().join(''), ...plain];
}

/** Removes the port and a trailing dot of the host from addresses. */
function withPlainHosts(text: string): string {
  return text.replace(/(https?:[\\/]{2}[^\\/?#\s":]{1,255}?)\.?(?::\d{1,5})?(?=[\\/?#"]|$)/gi, '$1');
}

function decodePercents(text: string): string {
  return text.replace(/%([0-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** The vendors' documented prefixes and lengths. */
const FORMS: readonly (readonly [string, RegExp])[] = [
  ['a key of Stripe', /(?:^|[^a-z0-9])(?:[srpe]k_(?:live|test|org)_|whsec_)[\w-]{4}/i],
  ['a Secret Key of Qonversion', /(?:^|[^a-z0-9])(?:test_)?sk_(?:(?=[\w-]*\d)[\w-]{4}|[\w-]{20})/i],
  ['a key of AWS', /(?:^|[^A-Z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Z0-9])/],
  ['a secret access key of AWS', /(?<![\w+%.-])(?=\S{0,39}\d)(?=\S{0,38}[a-z][A-Z])[A-Za-z0-9/+]{40}(?![\w/+=%.-])/],
  ['a session token of AWS', /(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz)[\w/+=-]{20}/],
  [
    'an access token',
    /(?:^|[^A-Za-z0-9])(?:gh[pousr]_|github_pat_|glpat-|xox[abceprs]-|xapp-|ya29\.|AIza|shp(?:at|ss|ca|pa)_|pypi-|dop_v1_)[\w.-]{16}|(?:^|[^A-Za-z0-9])(?:npm_|hf_|dapi|rk-|sk-(?:proj-|ant-\w{1,9}-)?)(?=[A-Za-z]*\d)[A-Za-z0-9]{16}|SG\.(?=[\w-]*\d)[\w-]{16}/,
  ],
  ['a JSON Web Token', /eyJ[\w-]{8,}\.[\w-]{8,}/],
  ['a private key', /-----BEGIN[A-Z ]*PRIVATEKEY|-----BEGIN [A-Z ]*PRIVATE KEY/],
  [
    'an address with a username or password',
    /[a-z][a-z0-9+.-]{0,30}:[\\/]{2,}[^\s\\/?#"]*@|https?:[\\/]*[^\s\\/?#",]*@/i,
  ],
  [
    WEBHOOK,
    new RegExp(
      [
        String.raw`hooks\.slack(?:-gov)?\.com[\\/]`,
        String.raw`discord(?:app)?\.com[\\/]api[\\/](?:v\d+[\\/])?webhooks[\\/]`,
        String.raw`hooks\.zapier\.com[\\/]`,
        String.raw`webhook\.office(?:365)?\.com[\\/]`,
        String.raw`outlook\.office(?:365)?\.com[\\/]webhook`,
        String.raw`logic\.azure\.com[:\d]*[\\/]`,
        String.raw`api\.powerplatform\.com[:\d]*[\\/]`,
        String.raw`chat\.googleapis\.com[\\/]v1[\\/]spaces[\\/]`,
        String.raw`maker\.ifttt\.com[\\/]`,
        String.raw`hook\.(?:[a-z0-9]+\.)?(?:make|integromat)\.com[\\/]`,
        String.raw`events\.(?:eu\.)?pagerduty\.com[\\/]integration[\\/]`,
        String.raw`alert\.victorops\.com[\\/]integrations[\\/]`,
        String.raw`api\.telegram\.org[\\/]bot`,
        String.raw`webhook\.site[\\/]\w`,
        // On any host: a query parameter that is named like a secret, with a random value.
        String.raw`https?:[\\/]{2}[^\s"]*[?&;][\w.-]*(?:secret|sig|signature|passwd|password|pwd)=[^&\s"]`,
        String.raw`https?:[\\/]{2}[^\s"]*[?&;][\w.-]*(?:key|token|code|auth|jwt)=(?:(?=[^&\s"]*\d)[^&\s"]{8}|[^&\s"]{16})`,
      ].join('|'),
      'i',
    ),
  ],
];

/** `WEBHOOK` when an endpoint for alerts has a part that looks random: on any host, it may let a stranger post there. */
export function secretInEndpoint(text: string): string | null {
  const [, rest = ''] = /^https:[\\/]{2}[^\\/?#]*(.*)$/isu.exec(decodePercents(decodePercents(text))) ?? [];
  return rest.split(/[^\w-]+/).some(looksRandom) ? WEBHOOK : null;
}

/**
 * The same for an endpoint whose credential is in a header. A ULID identifies an alert source of incident.io; it begins
 * with a time and is no credential.
 */
export function secretInWebhook(text: string): string | null {
  return secretInEndpoint(text.replace(/(?<=\/)01[0-9A-HJKMNP-TV-Z]{24}(?=[/?]|$)/g, 'id'));
}

/** `CREDENTIAL` when the text is a credential, not the name or the ARN of a secret. */
export function secretInSecretName(text: string): string | null {
  // A random suffix of six characters ends every ARN.
  return /\s/.test(text.trim()) || text.split(/[^\w-]+/).some(looksRandom) ? CREDENTIAL : null;
}

function looksRandom(word: string): boolean {
  if (/^[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i.test(word)) return true;
  // Names are words with at most one number: "integration-guard-2024".
  return word.split(/[-_]+/).some((part) => {
    const digits = part.replace(/\D/g, '').length;
    const isMixed = /[a-z]/.test(part) && /[A-Z]/.test(part);
    const isLong = part.length >= 16 || (part.length >= 10 && word.length >= 20);
    return isLong && /[a-z]/i.test(part) && (digits >= 3 || (digits >= 1 && isMixed));
  });
}
