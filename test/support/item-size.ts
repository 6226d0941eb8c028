/** DynamoDB takes no item above 400 KB, its attributes' names included. Source: "Quotas in Amazon DynamoDB", items. */
export const MAX_ITEM_BYTES = 409_600;

/**
 * The bytes that DynamoDB counts for an item of plain values, as the document client takes them. Attributes that are undefined
 * are not part of it. Source: "DynamoDB item sizes and formats" in its developer guide, which calls its rule for numbers approximate:
 * here their digits are counted in pairs from the decimal point on, the way DynamoDB stores them.
 */
export function itemSize(item: object): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(item)) {
    if (value !== undefined) bytes += Buffer.byteLength(name) + valueSize(value);
  }
  return bytes;
}

/** Of every list and map, and of each of their elements. */
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
  // A first digit in an odd place has a pair of its own.
  const alone = Number(exponent) % 2 === 0 ? 1 : 0;
  return 1 + Math.ceil((digits + alone) / 2) + (value < 0 ? 1 : 0);
}
