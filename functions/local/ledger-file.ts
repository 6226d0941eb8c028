import * as z from 'zod';

/**
 * The text of a ledger file. In format 2, ids and names of projects are values and never keys of an object: an integration
 * `constructor` or `__proto__` is stored like any other. Format 1, which version 1 of the guard wrote, is still read.
 */

export type LedgerFile = z.output<typeof format2>;

/** An integration's entry, or the project's own when `integration` is null. */
export type StoredItem = LedgerFile['items'][number];

/** @throws when the text is not a ledger */
export function parseLedgerFile(text: string): LedgerFile {
  const file = z.discriminatedUnion('format', [format1, format2]).parse(JSON.parse(text));
  return file.format === 2 ? file : fromFormat1(file);
}

/** Enough to tell our own file from another: only the guard writes what is inside. Zod hands it on as it is. */
const anObject = z.custom<object>((value) => typeof value === 'object' && value !== null);

const anEvent = z.custom<{ readonly id: string; readonly time: string }>(
  (value) => z.object({ id: z.string(), time: z.iso.datetime() }).safeParse(value).success,
);

const versioned = { version: z.int().positive(), expiresAt: z.iso.datetime().nullable(), entry: anObject };

const format2 = z.object({
  format: z.literal(2),
  items: z.array(
    z.object({ project: z.string(), integration: z.string().nullable(), schema: z.int().positive(), ...versioned }),
  ),
  history: z.array(z.object({ project: z.string(), schema: z.int().positive(), event: anEvent })),
});

/** An object by names that people chose, as a list: JSON.parse gives an own `__proto__`, and `z.record` would drop it. */
const byName = <T>(value: z.ZodType<T>) =>
  anObject.transform((given) => Object.entries(given).map(([name, one]) => ({ name, value: value.parse(one) })));

const format1 = z.object({
  format: z.literal(1),
  projects: byName(
    z.object({
      project: z.object(versioned).optional(),
      integrations: byName(z.object(versioned)),
      history: z.array(anEvent).optional(),
    }),
  ),
});

function fromFormat1({ projects }: z.output<typeof format1>): LedgerFile {
  const schema = 1;
  return {
    format: 2,
    items: projects.flatMap(({ name: project, value }) => [
      ...(value.project === undefined ? [] : [{ project, integration: null, schema, ...value.project }]),
      ...value.integrations.map(({ name, value: item }) => ({ project, integration: name, schema, ...item })),
    ]),
    history: projects.flatMap(({ name: project, value }) =>
      (value.history ?? []).map((event) => ({ project, schema, event })),
    ),
  };
}
