import * as z from 'zod';
import { LedgerFormatError } from '../guard/errors.ts';
import { USE_BACKUP, USE_NEWER } from '../ledger/upcast.ts';

/**
 * The text of a ledger file. In format 2, integration ids and project names are values, never keys of an object, so an
 * integration `constructor` or `__proto__` is stored like any other. Format 1, which version 1 of the guard wrote, is still read.
 */

export type LedgerFile = z.output<typeof format2>;

/** An integration's entry, or the project's own when `integration` is null. */
export type StoredItem = LedgerFile['items'][number];

/** @throws LedgerFormatError when the text is not a ledger that this version reads */
export function parseLedgerFile(text: string): LedgerFile {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new LedgerFormatError('damaged', 'it is not a ledger of this guard, or a part of it is missing', USE_BACKUP, {
      cause: error,
    });
  }
  const newer = newerFormat.safeParse(document);
  if (newer.success) {
    const { format } = newer.data;
    throw new LedgerFormatError(
      'newer',
      `it was written by a newer version of the guard (format ${format}; this version reads up to 2)`,
      USE_NEWER,
    );
  }
  const parsed = z.discriminatedUnion('format', [format1, format2]).safeParse(document);
  if (!parsed.success)
    throw new LedgerFormatError('damaged', 'it is not a ledger of this guard', USE_BACKUP, { cause: parsed.error });
  return parsed.data.format === 2 ? parsed.data : fromFormat1(parsed.data);
}

const newerFormat = z.object({ format: z.int().min(3) });

/** Enough to recognise the guard's own file, because only the guard writes the content. zod passes it on unchanged. */
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

/** An object with names that people chose, as a list. `z.record` would drop the `__proto__` that JSON.parse keeps. */
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
