/** DynamoDB's limit of 400 KB for an item, including attribute names. Source: "Quotas in Amazon DynamoDB", items. */
export const MAX_ITEM_BYTES = 409_600;

/**
 * The bytes that DynamoDB counts for an item of plain values, as the document client takes them, without undefined attributes.
 * Source: "DynamoDB item sizes and formats" in the developer guide. It calls its rule for numbers approximate, so digits are counted
 * here in pairs from the decimal point, as DynamoDB stores them.
 */
export function itemSize(item: object): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(item)) {
    if (value !== undefined) bytes += Buffer.byteLength(name) + valueSize(value);
  }
  return bytes;
}

/** The overhead of a list or a map, and of each element. */
const CONTAINER_BYTES = 3;
const ELEMENT_BYTES = 1;

function valueSize(value: unknown): number {
  if (value === null || typeof value === 'boolean') return 1;
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (typeof value === 'number') return numberSize(value);
  if (Array.isArray(value)) {
    return value.reduce<number>((sum, element) => sum + ELEMENT_BYTES + valueSize(element), CONTAINER_BYTES);
  }
  if (typeof value === 'object') {
    const count = Object.values(value).filter((element) => element !== undefined).length;
    return CONTAINER_BYTES + count * ELEMENT_BYTES + itemSize(value);
  }
  throw new TypeError(`DynamoDB has no type for a ${typeof value}`);
}

function numberSize(value: number): number {
  if (value === 0) return 1;
  const [mantissa = '', exponent = '0'] = Math.abs(value).toExponential().split('e');
  const digits = mantissa.replace('.', '').length;
  // A first digit in an odd position takes a whole pair.
  const alone = Number(exponent) % 2 === 0 ? 1 : 0;
  return 1 + Math.ceil((digits + alone) / 2) + (value < 0 ? 1 : 0);
}
