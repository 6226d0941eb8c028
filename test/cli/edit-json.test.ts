import { describe, expect, it } from 'vitest';
import { editJson, insertEntry } from '../../functions/local/edit-json.ts';

const without = (text: string, ...path: (string | number)[]) => editJson(text, [{ path, to: null }]);

describe('a JSON text', () => {
  it('gets new names and values in place', () => {
    const text = '{\n  /* 1 */ "a" /* 2 */ : /* 3 */ [1,  2], // 4\n\t"b": {"a": 1}\n}';
    expect(editJson(text, [{ path: ['a'], to: { name: 'c"', value: [1, 2] } }])).toBe(text.replace('"a"', '"c\\""'));
    expect(editJson(text, [{ path: ['b', 'a'], to: { name: 'a', value: {} } }])).toBe(
      text.replace('{"a": 1}', '{"a": {}}'),
    );
  });

  it.each([
    ['{ "a": 1, "b": 2 }', 'a', '{ "b": 2 }'],
    ['{ "a": 1, "b": 2 }', 'b', '{ "a": 1 }'],
    ['{"a":1,"b":2,}', 'b', '{"a":1,}'],
    ['{ "a": 1 }', 'a', '{ }'],
    ['{\n  "a": 1,\n  "b": 2\n}', 'a', '{\n  "b": 2\n}'],
    ['{\r\n  "a": 1,\r\n  "b": 2\r\n}', 'b', '{\r\n  "a": 1\r\n}'],
    ['{\n  "a": 1, // one\n  "b": 2 // two\n}', 'a', '{\n  // one\n  "b": 2 // two\n}'],
    ['{\n  "a": 1, // one\n  "b": 2 // two\n}', 'b', '{\n  "a": 1 // one\n  // two\n}'],
    ['{ "a": 1 /* , */, "b": "," }', 'a', '{ /* , */ "b": "," }'],
  ])('%s without %s', (text, name, rest) => {
    expect(without(text, name)).toBe(rest);
  });

  it('keeps the comments of a removed entry, each on a line of its own', () => {
    const text = '[\n  {}, // first\n  { "a": "// none", // one\n    /* two */ },\n]\n';
    expect(without(text, 1)).toBe('[\n  {}, // first\n  // one\n  /* two */\n]\n');
    expect(without('[{ /* one */ }, 2]', 0)).toBe('[/* one */\n 2]');
  });

  it('refuses a path that does not exist', () => {
    expect(() => without('{}', 'a')).toThrow('there is no a in the text');
  });
});

describe('an object of a JSON text gets a new entry', () => {
  const first = (text: string) => insertEntry(text, ['o'], { name: 'n', value: { a: [1] }, at: 'first' });
  const last = (text: string) => insertEntry(text, [], { name: 'n', value: 1, at: 'last' });

  it.each([
    ['{"o": {}}', '{"o": {"n": {"a":[1]}}}'],
    ['{"o": {"p": 1}}', '{"o": {"n": {"a":[1]}, "p": 1}}'],
    [
      '{\n  "o": { // why\n    "p": 1\n  }\n}',
      '{\n  "o": { // why\n    "n": {\n      "a": [\n        1\n      ]\n    },\n    "p": 1\n  }\n}',
    ],
    ['{\r\n\t"o": {}\r\n}', '{\r\n\t"o": {\r\n\t\t"n": {\r\n\t\t\t"a": [\r\n\t\t\t\t1\r\n\t\t\t]\r\n\t\t}\r\n\t}\r\n}'],
  ])('as its first: %s', (text, result) => {
    expect(first(text)).toBe(result);
  });

  it.each([
    ['{}', '{"n": 1}'],
    ['{ "a": 1 }', '{ "a": 1, "n": 1 }'],
    ['{ "a": 1, }', '{ "a": 1, "n": 1 }'],
    ['{\n  "a": 1 // one\n}\n', '{\n  "a": 1, // one\n  "n": 1\n}\n'],
    ['{\n  "a": 1, /* one */\n  // two\n}', '{\n  "a": 1, /* one */\n  "n": 1\n  // two\n}'],
    ['{\n  "a": 1 /* a\n b */ , // ","\n}', '{\n  "a": 1 /* a\n b */ , // ","\n  "n": 1\n}'],
  ])('as its last: %s', (text, result) => {
    expect(last(text)).toBe(result);
  });

  it('refuses a value that is not an object', () => {
    expect(() => insertEntry('[]', [], { name: 'n', value: 1, at: 'last' })).toThrow('there is no object (top level)');
  });
});
