import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fillSecretCommand } from '../../functions/aws/secret.ts';
import { runInShell } from '../support/printed-commands.ts';

/**
 * The printed command, in a shell, with a program `aws` in place of the AWS CLI. It answers like version 2: the value as a JSON
 * string, or an error on standard error. It writes down its arguments.
 */
const AWS = `#!/usr/bin/env bash
printf '%s\\n' "$*" >> "$FOLDER/arguments"
case "$2" in
  get-secret-value)
    if [ -f "$FOLDER/refusal" ]; then cat "$FOLDER/refusal" >&2; exit 254; fi
    if [ -f "$FOLDER/warning" ]; then cat "$FOLDER/warning" >&2; fi
    if [ ! -f "$FOLDER/value" ]; then
      printf '\\nAn error occurred (ResourceNotFoundException) when calling the GetSecretValue operation: none\\n' >&2
      exit 254
    fi
    if [ -f "$FOLDER/binary" ]; then echo null; exit; fi
    node -e 'console.log(JSON.stringify(require("fs").readFileSync(process.argv[1], "utf8")))' "$FOLDER/value" ;;
  put-secret-value) cat > "$FOLDER/put" && mv "$FOLDER/put" "$FOLDER/value" ;;
esac
`;

const KEY = 'sk_fake_new_key_0123';
const OTHER = 'sk_fake_other_key_99';

let folder: string;
const file = (name: string) => join(folder, name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'guard-fill-'));
  writeFileSync(file('aws'), AWS);
  chmodSync(file('aws'), 0o755);
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Does as a person: pastes the command, types the key, presses Enter. */
async function fill(
  id: string,
  field: string | null,
  { before, typed = `${KEY}\n` }: { before?: string; typed?: string },
) {
  if (before !== undefined) writeFileSync(file('value'), before);
  // A shell with this home has no start-up file that could put another aws first.
  const path = [folder, dirname(process.execPath)].join(delimiter);
  const [run] = await runInShell([fillSecretCommand({ id, field })], {
    typed,
    path,
    variables: { FOLDER: folder, HOME: folder },
  });
  return {
    code: run?.code,
    output: run?.output ?? '',
    value: existsSync(file('value')) ? readFileSync(file('value'), 'utf8') : null,
    calls: existsSync(file('arguments')) ? readFileSync(file('arguments'), 'utf8').trim().split('\n') : [],
  };
}

const GET = 'secretsmanager get-secret-value --secret-id q/keys --query SecretString --output json';
const PUT = 'secretsmanager put-secret-value --secret-id q/keys --secret-string file:///dev/stdin';

describe('the command that fills a field of a secret', () => {
  it.each([
    ['an empty secret', undefined, { ios: KEY }],
    ['a secret with an empty text', '', { ios: KEY }],
    ['an object without the field', `{"android":"${OTHER}"}`, { android: OTHER, ios: KEY }],
    [
      'the field',
      `\n{\n  "ios": "old",\n  "note": "it's \\"quoted\\", $HOME, \`x\`"\n}\n`,
      { ios: KEY, note: 'it\'s "quoted", $HOME, `x`' },
    ],
    [
      'fields that are not text',
      '{"a":{"b":[1,null]},"__proto__":"x"}',
      JSON.parse(`{"a":{"b":[1,null]},"__proto__":"x","ios":"${KEY}"}`),
    ],
  ])(
    'sets it in %s and keeps the others, without the key in an argument or on the screen',
    async (_what, before, after) => {
      const { code, output, value, calls } = await fill('q/keys', 'ios', before === undefined ? {} : { before });
      expect(output).toBe('');
      expect(code).toBe(0);
      expect(JSON.parse(value ?? '')).toEqual(after);
      expect(calls).toEqual([GET, PUT]);
    },
  );

  it.each([
    ['the key of one project', OTHER],
    ['a list', `["${OTHER}"]`],
    ['broken JSON', `{"android":"${OTHER}`],
    ['a text in quotes', `"${OTHER}"`],
    ['null', 'null'],
  ])('stores nothing if the secret holds %s, and shows none of it', async (_what, before) => {
    const { code, output, value, calls } = await fill('q/keys', 'ios', { before });
    expect(output).toBe('Nothing was stored: no key was entered, or the secret is not a JSON object.\n');
    expect({ code, value, calls }).toEqual({ code: 1, value: before, calls: [GET] });
  });

  it('stores nothing without a key', async () => {
    const before = `{"android":"${OTHER}"}`;
    const { code, output, value } = await fill('q/keys', 'ios', { before, typed: '\n' });
    expect(output).toContain('no key was entered');
    expect({ code, value }).toEqual({ code: 1, value: before });
  });

  it('stores nothing if AWS refuses the secret, and shows the error of AWS', async () => {
    const refusal = 'An error occurred (AccessDeniedException) when calling the GetSecretValue operation: no';
    writeFileSync(file('refusal'), `\n${refusal}\n`);
    const { code, output, value, calls } = await fill('q/keys', 'ios', {});
    expect(output.trim()).toBe(refusal);
    expect({ code, value, calls }).toEqual({ code: 1, value: null, calls: [GET] });
  });

  it('stores nothing if the secret has a binary value', async () => {
    writeFileSync(file('binary'), '');
    const { code, output, value } = await fill('q/keys', 'ios', { before: OTHER });
    expect(output).toContain('the secret is not a JSON object');
    expect({ code, value }).toEqual({ code: 1, value: OTHER });
  });

  it('ignores warnings of the AWS CLI', async () => {
    writeFileSync(file('warning'), 'SyntaxWarning: something old\n');
    const { code, output, value } = await fill('q/keys', 'ios', { before: `{"android":"${OTHER}"}` });
    expect(JSON.parse(value ?? '')).toEqual({ android: OTHER, ios: KEY });
    expect({ code, output }).toEqual({ code: 0, output: '' });
  });
});

describe('the command that fills a whole secret', () => {
  it('stores the key only', async () => {
    const { code, value, calls } = await fill('q/keys', null, { before: OTHER });
    expect({ code, value, calls }).toEqual({ code: 0, value: KEY, calls: [PUT] });
  });
});
