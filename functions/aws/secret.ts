import {
  GetSecretValueCommand,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { describeError, SecretUnreadableError } from '../guard/errors.ts';
import { quoteForShell } from '../guard/model/command-line.ts';
import type { Clock } from '../guard/ports.ts';
import type { SecretPlace } from '../guard/settings/types.ts';
import { MINUTE_MS } from '../guard/text/time.ts';
import { type KeySource, parseSecretField, parseSecretKey, type SecretKey } from '../qonversion/secret-key.ts';

/** A rotated key is read after this time at the latest, even while Qonversion still accepts the old one. */
export const KEY_LIFETIME_MS = 15 * MINUTE_MS;

/**
 * The Secret Key of one project, from Secrets Manager. It is read once per warm environment, again after a 401, and
 * again after KEY_LIFETIME_MS (law 4). The keys of other projects in the same secret stay in this file.
 */
export function createSecretKeySource(client: SecretsManagerClient, place: SecretPlace, clock: Clock): KeySource {
  let cached: { readonly key: SecretKey; readonly readAt: number } | null = null;

  const renew = async (): Promise<SecretKey> => {
    cached = null;
    const key = parseKey(await readSecret(client, place.id), place);
    cached = { key, readAt: clock.now().getTime() };
    return key;
  };
  return {
    get: () =>
      cached !== null && clock.now().getTime() - cached.readAt < KEY_LIFETIME_MS
        ? Promise.resolve(cached.key)
        : renew(),
    renew,
  };
}

function parseKey(text: string | undefined, { id, field }: SecretPlace): SecretKey {
  const name = `the secret "${id}"`;
  return field === null
    ? parseSecretKey(text, name, `fill it with: ${fillSecretCommand({ id, field })}`)
    : parseSecretField(text, field, name, FILL_FIELD);
}

/** The remedy for a secret that projects share. The command is too long for an alert. */
const FILL_FIELD = 'store the Secret Key with the command FillSecretOf… for this project in the outputs of the stack';

/**
 * The command that stores a project's Secret Key. It keeps the key out of the shell's history and of the process list.
 * For a field it needs Node, keeps the other fields, and stores nothing if it cannot read them.
 */
export function fillSecretCommand({ id, field }: SecretPlace): string {
  const secret = `--secret-id ${quoteForShell(id)}`;
  const put = `aws secretsmanager put-secret-value ${secret} --secret-string file:///dev/stdin`;
  if (field === null) return `(read -rs key && printf %s "$key" | ${put})`;
  const answer = ['--query', 'SecretString', '--output', 'json'].join(' ');
  const get = `aws secretsmanager get-secret-value ${secret} ${answer} 2>&1`;
  const edit = `node -e '${SET_FIELD}' ${quoteForShell(field)}`;
  return `(read -rs key && new=$({ printf '%s\\n' "$key"; ${get}; } | ${edit}) && printf %s "$new" | ${put})`;
}

/**
 * A program for `node -e`, on one line and without single quotes. Its input is the key and, on the next lines, the answer
 * of `get-secret-value`: the secret's text as a JSON string (null: it has none), or an error. It never shows that text. A secret without a
 * value answers with ResourceNotFoundException.
 */
const SET_FIELD = [
  'const [key, ...lines] = require("fs").readFileSync(0, "utf8").split("\\n")',
  'const stop = (why) => { console.error(why); process.exit(1) }',
  'const text = lines.find((line) => /^("|null$)/.test(line)), error = lines.join("\\n")',
  'if (!text && !error.includes("ResourceNotFoundException")) stop(error)',
  'let all = {}',
  'if (text) try { all = JSON.parse(JSON.parse(text).trim() || "{}") } catch { all = 0 }',
  'if (!key || JSON.stringify(all)[0] !== "{") stop("Nothing was stored: no key was entered, or the secret is not a JSON object.")',
  'console.log(JSON.stringify({ ...all, [process.argv[1]]: key }))',
].join('; ');

async function readSecret(client: SecretsManagerClient, secretId: string): Promise<string | undefined> {
  try {
    return (await client.send(new GetSecretValueCommand({ SecretId: secretId }))).SecretString;
  } catch (error) {
    // AWS also answers this for a secret that exists but has no value yet.
    if (error instanceof ResourceNotFoundException) return undefined;
    throw new SecretUnreadableError(
      `the secret "${secretId}" cannot be read (${describeError(error)}); check that it exists and that this role may read it`,
      { cause: error },
    );
  }
}
