import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { SecretUnusableError, SettingsError } from '../../functions/guard/errors.ts';
import { parseSettings } from '../../functions/guard/settings/schema.ts';
import { readSettingsFile } from '../../functions/local/settings-file.ts';
import { parseSecretField, parseSecretKey } from '../../functions/qonversion/secret-key.ts';
import type { Size } from '../faults/finding.ts';
import type { Attack, Kind } from './kind.ts';

/**
 * Misplaced secrets: in every setting, under every name, in disguise, and other vendors' keys in place of Qonversion's.
 * Each consists of the vendor's form and a random body. The message must not contain six consecutive characters of the
 * body. The same holds for the secrets of other projects in a shared secret.
 */

const ALPHANUMERIC = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'];

const body = (length: number, alphabet: readonly string[] = ALPHANUMERIC) =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength: length, maxLength: length });

/** A secret, and the part that must not be visible. */
interface Secret {
  readonly text: string;
  readonly body: string;
}

const form = (make: (body: string) => string, part: fc.Arbitrary<string>): fc.Arbitrary<Secret> =>
  part.map((chosen) => ({ text: make(chosen), body: chosen }));

// Assembled, so that no scanner reports this file as a leak.
const SECRETS: Readonly<Record<string, fc.Arbitrary<Secret>>> = {
  qonversion: form((part) => `${'sk'}_${part}`, body(24)),
  'qonversion, sandbox': form((part) => `test_${'sk'}_${part}`, body(24)),
  stripe: form((part) => `${'sk'}_live_${part}`, body(24)),
  'stripe, test': form((part) => `${'sk'}_test_${part}`, body(24)),
  'stripe, restricted': form((part) => `${'rk'}_live_${part}`, body(24)),
  'stripe, webhooks': form((part) => `${'whsec'}_${part}`, body(32)),
  'aws key id': form((part) => `${'AKIA'}${part}`, body(16, [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'])),
  'aws secret': form((part) => `aA1${part}`, body(37, [...ALPHANUMERIC, '/', '+'])),
  github: form((part) => `${'ghp'}_${part}`, body(36)),
  slack: form((part) => `${'xoxb'}-1111-${part}`, body(24)),
  google: form((part) => `${'AI'}za${part}`, body(35)),
  sendgrid: form((part) => `${'SG'}.${part}`, body(40)),
  userinfo: form((part) => `https://user:${part}@example.com/in`, body(16)),
  'userinfo, no password': form((part) => `https://${part}@example.com`, body(16)),
  'userinfo, backslashes': form((part) => `https:\\\\${part}@example.com`, body(16)),
  'slack webhook': form((part) => `https://${'hooks.slack'}.com/services/T00000000/B00000000/${part}`, body(24)),
  'discord webhook': form((part) => `https://discord.com/api/webhooks/1234567890/${part}`, body(40)),
  'teams webhook': form((part) => `https://acme.webhook.office.com/webhookb2/${part}`, body(36)),
  'pagerduty webhook': form((part) => `https://events.pagerduty.com/integration/${part}/enqueue`, body(32)),
  'query token': form((part) => `https://example.com/in?token=${part}`, body(20)),
  'query api key': form((part) => `https://example.com/in?x=1&api_key=${part}`, body(20)),
};

/**
 * Other spellings of the same secret. They keep the body, because a changed body could not be recognised in a message.
 */
const DISGUISES: readonly ((secret: string) => string)[] = [
  (secret) => secret,
  (secret) => ` ${secret}\n`,
  (secret) => `"${secret}"`,
  (secret) => `key=${secret}`,
  (secret) => `my/${secret}`,
  (secret) => secret.replace(/[_/]/g, (mark) => `%${mark.charCodeAt(0).toString(16)}`),
  (secret) => secret.replace(/^(..)/, '$1\u200b'),
  (secret) => secret.replace(/^(.)/, '$1\u00ad'),
];

const ARN = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:';

/** Every text setting, and some unknown ones. */
const PLACES: readonly (readonly [string, (secret: string) => unknown])[] = [
  ['secretName', (secret) => ({ projects: { production: { secretName: secret } } })],
  ['secretArn', (secret) => ({ projects: { production: { secretArn: secret } } })],
  ['in secretArn', (secret) => ({ projects: { production: { secretArn: `${ARN}${secret}` } } })],
  ['secretField', (secret) => ({ projects: { production: { secretName: 'x', secretField: secret } } })],
  [
    'secretField of two projects',
    (secret) => {
      const project = { secretName: 'x', secretField: secret };
      return { projects: { a: project, b: project } };
    },
  ],
  ['secretKeyArn', (secret) => ({ projects: { production: { secretArn: `${ARN}x`, secretKeyArn: secret } } })],
  ['apiUrl', (secret) => ({ projects: { production: { secretName: 'x', apiUrl: secret } } })],
  [
    'in apiUrl',
    (secret) => ({ projects: { production: { secretName: 'x', apiUrl: `https://example.com/${secret}` } } }),
  ],
  ['project name', (secret) => ({ projects: { [secret]: { secretName: 'x' } } })],
  ['unknown setting', (secret) => ({ projects: { production: { secretName: 'x', [secret]: true } } })],
  ['unknown setting at the top', (secret) => ({ projects: { production: { secretName: 'x' } }, [secret]: {} })],
  ['value of an unknown setting', (secret) => ({ projects: { production: { secretName: 'x', secretKey: secret } } })],
  [
    'deep in an unknown setting',
    (secret) => ({ projects: { production: { secretName: 'x', a: [{ b: { c: [secret] } }] } } }),
  ],
  ['a policy', (secret) => policy(secret)],
  ['schedule', (secret) => ({ schedule: secret, projects: { production: { secretName: 'x' } } })],
  ['mode', (secret) => policy({ mode: secret })],
  ['remindAt', (secret) => policy({ remindAt: secret })],
  ['except', (secret) => policy({ providerOutage: { except: [secret] } })],
  ['override id', (secret) => policy({ overrides: [{ match: { id: secret }, mode: 'ignore' }] })],
  ['override title', (secret) => policy({ overrides: [{ match: { title: secret }, mode: 'ignore' }] })],
  ['override provider', (secret) => policy({ overrides: [{ match: { integration: secret }, mode: 'ignore' }] })],
  ['fleet prefix', (secret) => ({ fleet: { secretNamePrefix: secret } })],
  ['fleet apiUrl', (secret) => ({ fleet: { secretNamePrefix: 'q/', apiUrl: secret } })],
  ['fleet tag', (secret) => ({ fleet: { secretNamePrefix: 'q/', policies: [{ tag: secret, policy: {} }] } })],
  ['fleet match', (secret) => ({ fleet: { secretNamePrefix: 'q/', policies: [{ match: secret, policy: {} }] } })],
  ...['email', 'sms', 'sqs', 'lambda', 'https', 'slack', 'teams', 'webhook'].map(
    (kind) => [`subscription ${kind}`, (secret: string) => alerts({ [kind]: secret })] as const,
  ),
  ['slack workspace', (secret) => alerts({ slack: { workspaceId: secret, channelId: 'C0' } })],
  ['teams channel', (secret) => alerts({ teams: { tenantId: 'x', teamId: 'y', channelId: secret } })],
  ['subscription project', (secret) => alerts({ email: 'a@example.com', projects: [secret] })],
  ['minSeverity', (secret) => alerts({ email: 'a@example.com', minSeverity: secret })],
  ['runbookUrl', (secret) => ({ projects: { p: { secretName: 'x' } }, alerts: { runbookUrl: secret } })],
  ['the whole document', (secret) => secret],
  ['a list as the document', (secret) => [secret]],
];

function policy(given: unknown): unknown {
  return { projects: { production: { secretName: 'x', policy: given } } };
}

function alerts(subscription: unknown): unknown {
  return { projects: { production: { secretName: 'x' } }, alerts: { subscriptions: [subscription] } };
}

const SEED = 10_010;

function attack(size: Size): Attack {
  const violations: string[] = [];
  let tried = 0;
  const folder = mkdtempSync(join(tmpdir(), 'guard-wrong-secrets-'));
  const check = (
    what: string,
    secret: Secret,
    run: () => unknown,
    error: typeof SettingsError | typeof SecretUnusableError,
  ) => {
    tried += 1;
    const complaint = complaintOf(run, error);
    if (complaint === null) violations.push(`${what}: accepted (seed ${SEED})`);
    else if (shows(complaint, secret.body)) violations.push(`${what}: shown: ${complaint} (seed ${SEED})`);
    else if (/[^\x20-\x7e…’\n]/.test(complaint)) violations.push(`${what}: not one plain sentence: ${complaint}`);
  };
  try {
    const runs = size === 'quick' ? 1 : 4;
    for (const [vendor, arbitrary] of Object.entries(SECRETS)) {
      fc.sample(arbitrary, { seed: SEED, numRuns: runs }).forEach((secret, run) => {
        for (const [place, put] of PLACES) {
          DISGUISES.forEach((disguise, index) => {
            // At the quick size, each place meets each vendor in one disguise, and each disguise in turn.
            if (size === 'quick' && index !== (place.length + vendor.length) % DISGUISES.length) return;
            const what = `${vendor}, disguise ${index}, as ${place}, run ${run}`;
            const document = put(disguise(secret.text));
            check(what, secret, () => parseSettings(document, 'cdk.json'), SettingsError);
            if (run > 0 || index > 1) return;
            const file = join(folder, 'settings.json');
            const text = JSON.stringify(document);
            writeFileSync(file, text);
            check(`${what}, in a file`, secret, () => readSettingsFile(file), SettingsError);
            // The same entry twice, which causes another message.
            writeFileSync(file, text.replace(/^\{("(?:[^"\\]|\\.)*":)/, '{$1null,$1'));
            check(`${what}, twice in a file`, secret, () => readSettingsFile(file), SettingsError);
          });
        }
        for (const value of sharedWith(secret.text)) {
          const run = () => parseSecretField(value, 'mine', 'the secret "q/p"', 'run the command');
          check(`${vendor} of another project in a shared secret`, secret, run, SecretUnusableError);
        }
        if (/^(?:q|github|userinfo)/.test(vendor) === false) {
          for (const value of [secret.text, ` ${secret.text}\n`, JSON.stringify({ secretKey: secret.text })]) {
            const run = () => parseSecretKey(value, 'the secret "q/p"', 'fill it with: aws …');
            check(`${vendor} as the value of a secret`, secret, run, SecretUnusableError);
          }
        }
      });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return { tried, violations };
}

/** Shared secrets whose field "mine" holds no key, with the secret of another project. */
function sharedWith(other: string): readonly string[] {
  return [
    JSON.stringify({ other }),
    JSON.stringify({ other, mine: '' }),
    JSON.stringify({ other, mine: null }),
    JSON.stringify({ other, mine: [other] }),
    JSON.stringify({ other, mine: { other } }),
    JSON.stringify({ mine: JSON.stringify({ other }) }),
    JSON.stringify({ mine: ` ${other} x` }),
    JSON.stringify([other]),
    JSON.stringify({ [other]: 'mine' }),
    `{"mine":"","other":"${other}`,
    `{"other":"${other}",}`,
    `{other:"${other}"}`,
    `"${other}"`,
    other,
  ];
}

/** The message of the expected error; null: none. Any other error is rethrown. */
function complaintOf(run: () => unknown, due: typeof SettingsError | typeof SecretUnusableError): string | null {
  try {
    run();
    return null;
  } catch (error) {
    if (error instanceof due) return error.message.replace(/\/\S*guard-wrong-secrets-\w+/g, 'FOLDER');
    throw error;
  }
}

function shows(text: string, secret: string): boolean {
  for (let start = 0; start + 6 <= secret.length; start += 1) {
    if (text.includes(secret.slice(start, start + 6))) return true;
  }
  return false;
}

export const wrongSecrets: Kind = {
  name: 'wrong-secrets',
  promise:
    'The settings and the parser of Secret Keys reject a misplaced secret, and show no part of it, or of the other keys in a shared secret.',
  attack,
};
