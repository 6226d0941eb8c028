import type { Random } from '../faults/random.ts';

/** Credentials of every provider in the catalogue and of typical webhook targets, and the text around them. */

const DIGITS = '0123456789';
const SMALL = 'abcdefghijklmnopqrstuvwxyz';
const CAPITAL = SMALL.toUpperCase();
const HEX = `${DIGITS}abcdef`;
const LETTERS = SMALL + CAPITAL;
const WORD = LETTERS + DIGITS;

function chars(random: Random, alphabet: string, count: number): string {
  return Array.from({ length: count }, () => random.pick(Array.from(alphabet))).join('');
}

/** As random as a real key: with a digit, and never only letters. */
function key(random: Random, alphabet: string, count: number): string {
  const middle = chars(random, alphabet, count - 3);
  return `${random.pick(Array.from(alphabet.replace(/\d/g, '')))}${random.pick(Array.from(DIGITS))}${middle}${random.pick(Array.from(alphabet))}`;
}

const base64 = (random: Random, bytes: number): string => Buffer.from(chars(random, WORD, bytes)).toString('base64');
const uuid = (random: Random): string => [8, 4, 4, 4, 12].map((count) => key(random, HEX, count)).join('-');

export interface Secret {
  /** The credential as it appears in a text. */
  readonly text: string;
  /** None of these may be visible, nor eight consecutive characters of them. */
  readonly parts: readonly string[];
}

export interface Credential {
  readonly of: string;
  readonly make: (random: Random) => Secret;
}

const whole = (text: string): Secret => ({ text, parts: [text] });
const within = (before: string, secret: string, after = ''): Secret => ({
  text: `${before}${secret}${after}`,
  parts: [secret],
});

/** Credentials with a recognisable form. The prefixes are assembled here, so that no scanner reports them as a leak. */
export const SPEAKING: readonly Credential[] = [
  { of: 'Amplitude, API key', make: (r) => whole(chars(r, HEX, 32)) },
  { of: 'AppsFlyer, dev key', make: (r) => whole(key(r, WORD, 22)) },
  { of: 'Segment, write key', make: (r) => whole(key(r, WORD, 32)) },
  { of: 'Braze, REST key', make: (r) => whole(uuid(r)) },
  { of: 'Mailchimp, API key', make: (r) => within('', chars(r, HEX, 32), '-us21') },
  { of: 'OneSignal, REST key', make: (r) => whole(`${'os'}_v2_app_${key(r, `${SMALL}234567`, 60)}`) },
  { of: 'PostHog, project key', make: (r) => whole(`${'phc'}_${key(r, WORD, 43)}`) },
  { of: 'Branch, key', make: (r) => whole(`${'key'}_live_${key(r, WORD, 30)}`) },
  { of: 'Branch, secret', make: (r) => whole(`${'secret'}_live_${key(r, WORD, 32)}`) },
  { of: 'Pushwoosh, API token', make: (r) => whole(key(r, WORD, 64)) },
  { of: 'Tenjin, API key', make: (r) => whole(key(r, CAPITAL + DIGITS, 32)) },
  { of: 'Facebook, access token', make: (r) => whole(`${'EAA'}${key(r, WORD, 90)}`) },
  { of: 'Firebase, server key', make: (r) => whole(`AAAA${key(r, WORD, 7)}:${'APA91b'}${key(r, WORD, 134)}`) },
  { of: 'Google, API key', make: (r) => whole(`${'AIza'}${key(r, WORD, 35)}`) },
  { of: 'Google, OAuth token', make: (r) => whole(`${'ya29'}.${key(r, WORD, 60)}`) },
  { of: 'Amazon, access key', make: (r) => whole(`${'AKIA'}${chars(r, `${CAPITAL}234567`, 16)}`) },
  { of: 'Amazon, secret key', make: (r) => whole(`${key(r, WORD, 20)}/${key(r, WORD, 19)}`) },
  { of: 'Slack, bot token', make: (r) => whole(`${'xoxb'}-${chars(r, DIGITS, 12)}-${key(r, WORD, 24)}`) },
  {
    of: 'Slack, hook',
    make: (r) =>
      within(
        `https://hooks.slack.com/services/`,
        `T${key(r, CAPITAL + DIGITS, 9)}/B${key(r, CAPITAL + DIGITS, 9)}/${chars(r, LETTERS, 24)}`,
      ),
  },
  {
    of: 'Discord, hook',
    make: (r) => within('https://discord.com/api/webhooks/', `${chars(r, DIGITS, 18)}/${chars(r, LETTERS, 40)}`),
  },
  {
    of: 'Teams, hook',
    make: (r) =>
      within(
        'https://contoso.webhook.office.com/webhookb2/',
        `${uuid(r)}@${uuid(r)}/IncomingWebhook/${chars(r, HEX, 32)}/${uuid(r)}`,
      ),
  },
  {
    of: 'Power Automate',
    make: (r) =>
      within(
        'https://prod-12.westeurope.logic.azure.com:443/workflows/',
        `${chars(r, HEX, 32)}/triggers/manual/paths/invoke?api-version=2016-06-01&sig=${chars(r, LETTERS, 43)}`,
      ),
  },
  { of: 'make.com, hook', make: (r) => within('https://hook.eu2.make.com/', chars(r, SMALL, 32)) },
  { of: 'n8n cloud, hook', make: (r) => within('https://acme.app.n8n.cloud/webhook/', chars(r, SMALL, 16)) },
  { of: 'n8n, hook of its own host', make: (r) => within('https://flows.example.com/webhook-test/', uuid(r)) },
  {
    of: 'Zapier, hook',
    make: (r) => within('https://hooks.zapier.com/hooks/catch/', `${chars(r, DIGITS, 8)}/${chars(r, SMALL, 7)}`),
  },
  { of: 'IFTTT, key', make: (r) => within('https://maker.ifttt.com/trigger/sale/with/key/', chars(r, LETTERS, 22)) },
  { of: 'Pipedream, host', make: (r) => within('https://', `eo${key(r, SMALL + DIGITS, 12)}`, '.m.pipedream.net/') },
  { of: 'webhook.site', make: (r) => within('https://webhook.site/', uuid(r)) },
  {
    of: 'Telegram, bot',
    make: (r) =>
      within('https://api.telegram.org/bot', `${chars(r, DIGITS, 9)}:${chars(r, LETTERS, 35)}`, '/sendMessage'),
  },
  {
    of: 'Azure Functions, code',
    make: (r) => within('https://acme.azurewebsites.net/api/hook?code=', `${chars(r, LETTERS, 54)}==`),
  },
  {
    of: 'S3, signed address',
    make: (r) => within('https://b.s3.amazonaws.com/o?X-Amz-Expires=60&X-Amz-Signature=', chars(r, HEX, 64)),
  },
  {
    of: 'GCS, signed address',
    make: (r) =>
      within('https://storage.googleapis.com/b/o?X-Goog-Date=20261123&X-Goog-Signature=', chars(r, HEX, 128)),
  },
  {
    of: 'Azure, SAS',
    make: (r) => within('https://a.blob.core.windows.net/c?sv=2022-11-02&sig=', `${chars(r, LETTERS, 40)}%3D`),
  },
  {
    of: 'JWT',
    make: (r) => whole(`${'eyJ'}${chars(r, WORD, 30)}.${'eyJ'}${chars(r, WORD, 60)}.${chars(r, LETTERS, 43)}`),
  },
  {
    of: 'private key',
    make: (r) => within('-----BEGIN EC PRIVATE KEY-----\n', chars(r, LETTERS, 64), '\n-----END EC PRIVATE KEY-----'),
  },
  { of: 'Postgres', make: (r) => within('postgres://app:', chars(r, LETTERS, 12), '@db.example.com:5432/app') },
  {
    of: 'Postgres, odd password',
    make: (r) => within('postgres://app:', `${chars(r, LETTERS, 8)}/${chars(r, LETTERS, 8)}`, '@db.example.com/app'),
  },
  { of: 'Redis', make: (r) => within('rediss://:', chars(r, LETTERS, 16), '@cache.example.com:6379') },
  { of: 'Mongo', make: (r) => within('mongodb+srv://u:', chars(r, LETTERS, 12), '@c0.example.net/?w=majority') },
  { of: 'ODBC', make: (r) => within('Server=db;User Id=sa;Password=', chars(r, LETTERS, 12), ';Encrypt=yes') },
  { of: 'Azure storage', make: (r) => within('AccountName=a;AccountKey=', base64(r, 32), ';EndpointSuffix=core') },
  { of: 'Stripe', make: (r) => whole(`${'sk'}_live_${chars(r, WORD, 24)}`) },
  { of: 'webhook secret', make: (r) => whole(`${'whsec'}_${chars(r, WORD, 32)}`) },
  { of: 'GitHub', make: (r) => whole(`${'ghp'}_${chars(r, WORD, 36)}`) },
  { of: 'curl', make: (r) => within('curl -u admin:', chars(r, LETTERS, 12), ' https://api.example.com') },
  { of: 'cookie', make: (r) => within('Cookie: sid=', chars(r, LETTERS, 20), '; theme=dark') },
  { of: 'Set-Cookie', make: (r) => within('Set-Cookie: session=', chars(r, LETTERS, 20), '; HttpOnly; Path=/') },
  { of: 'Digest', make: (r) => within('Digest username="u", realm="r", response="', chars(r, HEX, 32), '"') },
  {
    of: 'AWS4',
    make: (r) => {
      const [id, signature] = [chars(r, CAPITAL, 16), chars(r, HEX, 64)];
      const credential = `Credential=${'AKIA'}${id}/20261123/eu-west-1/s3/aws4_request`;
      return {
        text: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=host, Signature=${signature}`,
        parts: [id, signature],
      };
    },
  },
];

/** Schemes, names and passwords: short, plain, or of several words. Only the name beside them identifies them. */
export const NAMED: readonly Credential[] = [
  { of: 'short hexadecimal', make: (r) => whole(key(r, HEX, 12)) },
  { of: 'short letters', make: (r) => whole(chars(r, LETTERS, 9)) },
  { of: 'small letters', make: (r) => whole(`zq${chars(r, SMALL, 10)}`) },
  { of: 'digits', make: (r) => whole(chars(r, DIGITS, 12)) },
  { of: 'CleverTap passcode', make: (r) => whole([3, 3, 4].map((count) => chars(r, CAPITAL, count)).join('-')) },
  { of: 'base64', make: (r) => whole(base64(r, 18)) },
  { of: 'Adjust token', make: (r) => whole(key(r, SMALL + DIGITS, 12)) },
  { of: 'with signs', make: (r) => whole(`${chars(r, LETTERS, 5)}!$${chars(r, WORD, 5)}.${chars(r, WORD, 3)}~`) },
  { of: 'uuid', make: (r) => whole(uuid(r)) },
];

/** Short ones with a recognisable form. */
export const MADE: readonly Credential[] = [
  { of: 'Amplitude, short key', make: (r) => whole(key(r, HEX, 12)) },
  { of: 'Adjust, app token', make: (r) => whole(key(r, SMALL + DIGITS, 12)) },
  { of: 'AppsFlyer, part of a key', make: (r) => whole(`${key(r, WORD, 9)}${chars(r, LETTERS, 2)}`) },
];

const WORDS = 'correct horse battery staple purple monkey dishwasher zebra lantern quiet'.split(' ');

export const PHRASES: readonly Credential[] = [
  ...NAMED,
  {
    of: 'passphrase',
    make: (r) => {
      const words = r.some(WORDS, 4);
      return { text: words.join(' '), parts: words };
    },
  },
];

export interface Wrapper {
  readonly name: string;
  readonly wrap: (name: string, value: string) => string;
}

const wrapper = (name: string, wrap: Wrapper['wrap']): Wrapper => ({ name, wrap });
const escaped = (text: string) => JSON.stringify(text).slice(1, -1);

/** Wrappers with a name beside the value. */
export const ASSIGNMENTS: readonly Wrapper[] = [
  wrapper('header', (n, v) => `POST /in HTTP/1.1\r\n${n}: ${v}\r\n`),
  wrapper('header without a space', (n, v) => `sent ${n}:${v}`),
  wrapper('JSON', (n, v) => `{"ok":false,"${n}":"${v}","code":401}`),
  wrapper('JSON with spaces', (n, v) => `{ "${n}" : "${v}" }`),
  wrapper('JSON in JSON', (n, v) => `{"body":"${escaped(`{"${n}":"${v}"}`)}"}`),
  wrapper('JSON in JSON in JSON', (n, v) => escaped(escaped(`{"${n}":"${v}"}`))),
  wrapper('JSON that was cut', (n, v) => `{"error":"x","${n}":"${v}`),
  wrapper('JavaScript', (n, v) => `{ '${n}': '${v}' }`),
  wrapper('Python', (n, v) => `headers = [('${n}', b'${v}')]`.replace("b'", "'")),
  wrapper('Ruby', (n, v) => `{"${n}"=>"${v}"}`),
  wrapper('index', (n, v) => `config["${n}"] = "${v}"`),
  wrapper('YAML', (n, v) => `auth:\n  ${n}: ${v}\n`),
  wrapper('quoted YAML', (n, v) => `${n}: '${v}'`),
  wrapper('XML', (n, v) => `<r><${n}>${v}</${n}></r>`),
  wrapper('XML attribute', (n, v) => `<r ${n}="${v}"/>`),
  wrapper('name and value', (n, v) => `{"name":"${n}","value":"${v}"}`),
  wrapper('app settings', (n, v) => `<add key="${n}" value="${v}" />`),
  wrapper('HTML', (n, v) => `&quot;${n}&quot;:&quot;${v}&quot;`),
  wrapper('shell', (n, v) => `export ${n}="${v}"`),
  wrapper('.env', (n, v) => `\n${n}=${v}\n`),
  wrapper('spaced', (n, v) => `${n} = ${v}`),
  wrapper('sentence', (n, v) => `rejected (${n}: ${v})`),
  wrapper('log', (n, v) => `level=warn ${n}="${v}" status=401`),
  wrapper('typographic quotes', (n, v) => `${n}: “${v}”`),
  wrapper('unicode escape', (n, v) => `${n}\\u003d${v}`),
];

/** Wrappers whose value has no spaces. */
export const ADDRESSES: readonly Wrapper[] = [
  wrapper('query', (n, v) => `GET https://api.example.com/v1?x=1&${n}=${encodeURIComponent(v)}&y=2 403`),
  wrapper('form', (n, v) => `${n}=${encodeURIComponent(v)}&grant_type=x`),
  wrapper('encoded query', (n, v) => `redirect=${encodeURIComponent(`https://a.example/?${n}=${v}&y=1`)}`),
  wrapper('encoded JSON', (n, v) => encodeURIComponent(`{"${n}":"${v}"}`)),
  wrapper('flag', (n, v) => `tool --${n} ${v} --verbose`),
  wrapper('flag with =', (n, v) => `tool --${n}=${v}`),
];

/** Wrappers for any value. */
export const PLACES: readonly Wrapper[] = [
  wrapper('alone', (_, v) => v),
  wrapper('prose', (_, v) => `upstream refused ${v} with 401`),
  wrapper('quoted', (_, v) => `invalid value "${v}" (401)`),
  wrapper('JSON', (_, v) => JSON.stringify({ error: 'refused', request: v })),
  wrapper('brackets', (_, v) => `refused [${v}]`),
  wrapper('after a colon', (_, v) => `Request failed:${v}`),
  wrapper('HTML', (_, v) => `<p>${v}</p>`),
  wrapper('with a comma', (_, v) => `${v}, retry later`),
];

export const SECRET_NAMES: readonly string[] = [
  'api_key',
  'apiKey',
  'API-Key',
  'X-Api-Key',
  'X-Hub-Signature',
  'X-Hub-Signature-256',
  'X-Acme-Token',
  'X-Acme-Secret',
  'X-Shopify-Access-Token',
  'X-Amz-Security-Token',
  'client_secret',
  'clientSecret',
  'access_token',
  'refresh_token',
  'id_token',
  'auth_token',
  'private_key',
  'secretAccessKey',
  'write_key',
  'writeKey',
  'dev_key',
  'app_secret',
  'server_key',
  'rest_api_key',
  'signing_secret',
  'webhook_secret',
  'session_token',
  'AMPLITUDE_API_KEY',
  'BRAZE_REST_API_KEY',
  'apitoken',
  'secret',
  'token',
  'connection_string',
  'x-goog-api-key',
  'Ocp-Apim-Subscription-Key',
  'API_KEY_PROD',
  'TOKEN_V2',
  'token1',
];

export const PHRASE_NAMES: readonly string[] = [
  'password',
  'Password',
  'PASSWORD',
  'passwd',
  'pwd',
  'passphrase',
  'db_password',
  'userPassword',
  'MYSQL_PWD',
  'passcode',
  'X-CleverTap-Passcode',
  'keystore-password',
];

export const SCHEMES: readonly string[] = [
  'Bearer',
  'Basic',
  'Key',
  'Token',
  'ApiKey',
  'Api-Key',
  'HMAC',
  'SharedKey',
  'GenieKey',
  'OAuth',
  'JWT',
  'Splunk',
  'Klaviyo-API-Key',
  'Acme',
];

/** Sentences that name the value. */
export const SENTENCES: readonly Wrapper[] = [
  wrapper('a refusal', (_, v) => `Invalid API key ${v}`),
  wrapper('a refusal with a colon', (_, v) => `Invalid API key: ${v}`),
  wrapper('a refusal with the key', (_, v) => `API key provided: ${v}. Check your settings.`),
  wrapper('parentheses', (_, v) => `your key (${v}) was revoked`),
  wrapper('quotes', (_, v) => `unknown token "${v}"`),
  wrapper('brackets', (_, v) => `secret '${v}' does not match`),
  wrapper('is', (_, v) => `the write key is ${v}`),
  wrapper('a revocation', (_, v) => `token ${v} was revoked`),
  wrapper('a login', (_, v) => `login with password ${v} failed`),
  wrapper('another user’s', (_, v) => `Password for bob: ${v}`),
  wrapper('mysql', (_, v) => `mysql -u root -p${v}`),
  wrapper('redis', (_, v) => `redis-cli -h cache -a ${v} ping`),
];
