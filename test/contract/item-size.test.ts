import { describe, expect, it } from 'vitest';
import { itemSize } from '../support/item-size.ts';

/** The rules and the example of AWS's page "DynamoDB item sizes and formats". */
describe('the size of a DynamoDB item', () => {
  it('is the sum of its names and strings', () => {
    // "The total size of that item is 23 bytes."
    expect(itemSize({ 'shirt-color': 'R', 'shirt-size': 'M' })).toBe(23);
  });

  it('counts UTF-8 bytes, in names and in values', () => {
    expect(itemSize({ é: '\u{1f680}' })).toBe(2 + 4);
    expect(itemSize({ a: '€' })).toBe(1 + 3);
  });

  it('counts one byte for null and for a boolean', () => {
    expect(itemSize({ a: null, b: true, c: false })).toBe(6);
  });

  it.each([
    [0, 1],
    [1, 2],
    [27, 2],
    [100, 2],
    [123, 3],
    [1.2, 3],
    [-27, 3],
    [1_795_435_200, 5],
    [0.5, 2],
  ])('counts for the number %d one byte per two digits, one more, and one for a sign', (value, bytes) => {
    expect(itemSize({ a: value })).toBe(1 + bytes);
  });

  it('counts three bytes for a list or a map, and one for each element', () => {
    expect(itemSize({ a: [], b: {} })).toBe(8);
    expect(itemSize({ a: ['xy', null] })).toBe(1 + 3 + (1 + 2) + (1 + 1));
    expect(itemSize({ a: { bc: 'xy' } })).toBe(1 + 3 + (1 + 2 + 2));
    expect(itemSize({ a: [{ b: 'c' }] })).toBe(1 + 3 + 1 + (3 + 1 + 2));
  });

  it('leaves out undefined values, as the document client does', () => {
    expect(itemSize({ a: 'b', c: undefined, d: { e: undefined } })).toBe(2 + 4);
  });
});
