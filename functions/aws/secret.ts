import {
  GetSecretValueCommand,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { describeError, SecretUnreadableError } from '../guard/errors.ts';
import { quoteForShell } from '../guard/model/command-line.ts';
import type { Clock } from '../guard/ports.ts';
import { MINUTE_MS } from '../guard/text/time.ts';
import { type KeySource, parseSecretKey, type SecretKey } from '../qonversion/secret-key.ts';

/** A rotated key is read after this time at the latest, even while Qonversion still accepts the old one. */
export const KEY_LIFETIME_MS = 15 * MINUTE_MS;

/**
 * The Secret Key of one project, from Secrets Manager. It is read once per warm environment, again after a 401, and
 * again after KEY_LIFETIME_MS (law 4).
 * @param secretId name or ARN of the secret
 */
export function createSecretKeySource(client: SecretsManagerClient, secretId: string, clock: Clock): KeySource {
  let cached: { readonly key: SecretKey; readonly readAt: number } | null = null;

  const renew = async (): Promise<SecretKey> => {
    cached = null;
    const key = parseSecretKey(await readSecret(client, secretId), `the secret "${secretId}"`, fillSecret(secretId));
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

/** The remedy for an empty secret. */
export function fillSecret(secretId: string): string {
  return `fill it with: ${fillSecretCommand(secretId)}`;
}

/** The command that fills a secret and keeps the key out of the shell's history. */
export function fillSecretCommand(secretId: string): string {
  return `(read -rs key && printf %s "$key" | aws secretsmanager put-secret-value --secret-id ${quoteForShell(secretId)} --secret-string file:///dev/stdin)`;
}

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
