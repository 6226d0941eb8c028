import { describe, expect, it } from 'vitest';
import { safePath, safeSentence } from '../../functions/guard/safe-sentence.ts';

describe('a path in a sentence', () => {
  it.each(['/tmp/guard-cli-7w5NL3/settings.json', '/opt/Projects2024/guardAB12cd34EF56/cdk.json', './a b/ledger.json'])(
    'is shown as it is: %s',
    (path) => {
      expect(safePath(path)).toBe(path);
    },
  );

  it('is shown in a sentence as it is', () => {
    const sentence = 'ENOENT: no such file, open /tmp/guard-cli-7w5NL3/settings.json';
    expect(safeSentence(sentence, 300)).toBe(sentence);
  });

  it('has no secret and no terminal escape', () => {
    expect(safePath(`/tmp/${'sk'}_fake_q7Wm2ZrT9xKp4VbN/\u001b]52;c;x\u0007settings.json`)).toBe(
      '/tmp/[redacted]/settings.json',
    );
  });
});
