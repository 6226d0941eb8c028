import type * as z from 'zod';

/** The known settings and their places, read from the schema for messages about unknown settings. */

/** An object in the settings and the names it may have. */
export interface Place {
  /** `*` stands for any name or index. */
  readonly path: readonly string[];
  readonly names: readonly string[];
}

/** Every object of a schema. Alternatives for the same place are merged. */
export function placesOf(schema: z.core.$ZodType): readonly Place[] {
  const merged = new Map<string, Place>();
  for (const { path, names } of objectsIn(schema, [])) {
    const key = path.join('.');
    merged.set(key, { path, names: [...new Set([...(merged.get(key)?.names ?? []), ...names])] });
  }
  return [...merged.values()];
}

function objectsIn(schema: z.core.$ZodType, path: readonly string[]): readonly Place[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case 'object':
      return [
        { path, names: Object.keys(def.shape) },
        ...Object.entries(def.shape).flatMap(([name, inner]) => objectsIn(inner, [...path, name])),
      ];
    case 'record':
      return objectsIn(def.valueType, [...path, '*']);
    case 'array':
      return objectsIn(def.element, [...path, '*']);
    case 'union':
      return def.options.flatMap((option) => objectsIn(option, path));
    case 'pipe':
      return objectsIn(def.out, path);
    case 'optional':
    case 'default':
    case 'prefault':
      return objectsIn(def.innerType, path);
    default:
      return [];
  }
}

export function fitsPlace({ path }: Place, given: readonly PropertyKey[]): boolean {
  return path.length === given.length && path.every((name, index) => name === '*' || name === String(given[index]));
}
