import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { openPrompt } from '../../functions/cli/prompt.ts';

function terminal() {
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
  const output = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
  return { input, output };
}

describe('a question at a terminal', () => {
  it('is answered by a line, without blanks around it', async () => {
    const { input, output } = terminal();
    const prompt = openPrompt(input, output);
    const answer = prompt?.ask('Name:');
    input.write('  app \n');
    expect(await answer).toBe('app');
    expect(String(output.read())).toContain('Name: ');
    const second = prompt?.ask('Stack:');
    input.write('Guard\n');
    expect(await second).toBe('Guard');
    prompt?.close();
  });

  it('is followed by a message that fits the terminal', () => {
    const { input, output } = terminal();
    output.columns = 20;
    openPrompt(input, output)?.say('expected a mail address, got "no address at all"');
    expect(String(output.read())).toBe('expected a mail\naddress, got "no\naddress at all"\n');
  });

  it.each([
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('is ended by %s', async (_, key) => {
    const { input, output } = terminal();
    const prompt = openPrompt(input, output);
    const answer = prompt?.ask('Name:');
    input.write(key);
    await expect(answer).rejects.toThrow('stopped; nothing was written');
  });

  it('ends when the terminal closes, and so do later ones', async () => {
    const { input, output } = terminal();
    const prompt = openPrompt(input, output);
    const answer = prompt?.ask('Name:');
    input.end();
    await expect(answer).rejects.toThrow('stopped');
    await expect(prompt?.ask('Stack:')).rejects.toThrow('stopped');
  });

  it.each([
    ['input', { input: { isTTY: false } }],
    ['output', { output: { isTTY: false } }],
  ])(
    'is not asked when the %s is no terminal',
    (_, { input = {}, output = {} }: { input?: object; output?: object }) => {
      const streams = terminal();
      expect(openPrompt(Object.assign(streams.input, input), Object.assign(streams.output, output))).toBeNull();
    },
  );
});
