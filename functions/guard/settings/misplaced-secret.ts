/**
 * Settings travel into a template, into bundles and onto terminals, so they hold names of secrets and never a secret. This file
 * recognises secrets by their form. It errs on the side of refusing: a name can be changed.
 */

/** Names what a text looks like. */
export const WEBHOOK = 'a webhook address whose path or query is a secret';

/** What a text looks like, if it has the form of a secret. */
export function secretIn(text: string): string | null {
  for (const spelling of spellingsOf(text)) {
    const found = FORMS.find(([, pattern]) => pattern.test(spelling));
    if (found !== undefined) return found[0];
  }
  return null;
}

/** Nothing is gained by longer texts; no setting is that long. */
const EXAMINED_CHARACTERS = 20_000;

/** The text as it stands, without characters that are not seen, with its percent-encoding undone, and what its base64 says. */
function spellingsOf(text: string): readonly string[] {
  const given = text.slice(0, EXAMINED_CHARACTERS);
  const visible = given.normalize('NFKC').replace(/[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Zs}]/gu, '');
  const decoded = decodePercents(decodePercents(visible));
  const encoded = [...given.matchAll(/[\w+/-]{16,}={0,2}/g)].map(([run]) =>
    Buffer.from(run, 'base64').toString('latin1'),
  );
  return [given, visible, decoded, ...encoded.filter((plain) => /^[\x20-\x7e]+$/.test(plain))];
}

function decodePercents(text: string): string {
  return text.replace(/%([0-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** By the vendors' own prefixes and lengths. */
const FORMS: readonly (readonly [string, RegExp])[] = [
  ['a key of Stripe', /(?:^|[^a-z0-9])(?:[srpe]k_(?:live|test|org)_|whsec_)[\w-]{4}/i],
  ['a Secret Key of Qonversion', /(?:^|[^a-z0-9])(?:test_)?sk_[\w-]{4}/i],
  ['a key of AWS', /(?:^|[^A-Z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Z0-9])/],
  [
    'a secret access key of AWS',
    /(?<![\w+%.-])(?=\S{0,39}\d)(?=\S{0,39}[A-Z])(?=\S{0,39}[a-z])[A-Za-z0-9/+]{40}(?![\w/+=%.-])/,
  ],
  ['a session token of AWS', /(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz)[\w/+=-]{20}/],
  [
    'an access token',
    /(?:^|[^A-Za-z0-9])(?:gh[pousr]_|github_pat_|glpat-|xox[abceprs]-|xapp-|ya29\.|AIza|SG\.|shp(?:at|ss|ca|pa)_|npm_|hf_|pypi-|dop_v1_|sk-|dapi|rk-)[\w.-]{16}/,
  ],
  ['a JSON Web Token', /eyJ[\w-]{8,}\.[\w-]{8,}/],
  ['a private key', /-----BEGIN[A-Z ]*PRIVATEKEY|-----BEGIN [A-Z ]*PRIVATE KEY/],
  [
    'an address with a user name or password',
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
        // Whatever the host, a query that says what it carries.
        String.raw`https?:[\\/]{2}[^\s"]*[?&;](?:[\w.-]*[_.-])?(?:(?:api|access|auth|routing|integration)?(?:key|token)|secret|sig|signature|password|pwd|code)=[^&\s"]`,
      ].join('|'),
      'i',
    ),
  ],
];

/**
 * An address that alerts are sent to, with a part that nobody would choose as a name: on a host that is not known above, too,
 * it is what lets a stranger post there.
 */
export function secretInEndpoint(text: string): string | null {
  const [, rest = ''] = /^https:[\\/]{2}[^\\/?#]*(.*)$/su.exec(decodePercents(decodePercents(text))) ?? [];
  return rest.split(/[^\w-]+/).some(looksRandom) ? WEBHOOK : null;
}

function looksRandom(word: string): boolean {
  if (/^[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i.test(word)) return true;
  const digits = word.replace(/\D/g, '').length;
  const isMixed = /[a-z]/.test(word) && /[A-Z]/.test(word);
  return word.length >= 16 && /[a-z]/i.test(word) && (digits >= 3 || (digits >= 1 && isMixed && !word.includes('-')));
}
