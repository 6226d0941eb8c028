import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { createGzip } from 'node:zlib';
import pMap from 'p-map';
import { parseSettings } from '../../functions/guard/settings/schema.ts';
import { writeCode } from '../../infra/guard-function.ts';
import { heapOf } from '../bench/measure.ts';
import { environmentOver, startDynamo, startSecretsManager, startSns } from '../support/aws-emulators.ts';
import { close, listen } from '../support/loopback.ts';
import { A_KEY, sentRecord } from './hostile-api.ts';
import type { Kind } from './kind.ts';

/**
 * Lambda's bundle, with Lambda's heap size, against bodies that are made to fill it. Lambda kills a function that runs
 * out of memory, and then no one is alerted.
 */

const MEMORY_MB = 256;
const MIB = 1024 * 1024;
interface Body {
  readonly name: string;
  /** Whether the guard can process it. */
  readonly readable: boolean;
  /** Whether an error is also accepted, if people are alerted. */
  readonly orFails?: boolean;
  readonly send: (response: ServerResponse, path: string) => void;
}

/**
 * A text repeated up to a size, between two others. It is sent in pieces, because this process has too little memory
 * for the whole.
 */
function repeated(text: string, bytes: number, before = '', after = ''): () => Readable {
  const piece = text.repeat(Math.max(1, Math.floor(65_536 / text.length)));
  return () =>
    Readable.from(
      (function* () {
        yield before;
        for (let sent = 0; sent < bytes; sent += Buffer.byteLength(piece)) yield piece;
        yield after;
      })(),
    );
}

const LIST_BEFORE = '{"object":"list","has_more":false,"data":[';

const inList = (element: string, bytes: number) => repeated(`${element},`, bytes, LIST_BEFORE, `${element}]}`);

const numbered = (count: number, element: (index: number) => string) => () =>
  Readable.from(
    (function* () {
      yield LIST_BEFORE;
      for (let index = 0; index < count; index += 1) yield `${index === 0 ? '' : ','}${element(index)}`;
      yield ']}';
    })(),
  );

const record = (index: number, fields: object = {}) =>
  JSON.stringify(
    sentRecord({ id: `i${index}`, delivery_error_count: 0, last_delivery_at: '2026-11-23T11:59:00Z', ...fields }),
  );

/** Sent as JSON with status 200; expected to be rejected. */
const STREAMS: Readonly<Record<string, () => Readable>> = {
  'brackets, 3 MiB': repeated('[', 3 * MIB),
  'brackets, 11 MiB': repeated('[', 11 * MIB),
  'objects in objects': repeated('{"a":', 11 * MIB),
  'empty objects': inList('{}', 2.9 * MIB),
  'empty objects, 11 MiB': inList('{}', 11 * MIB),
  'empty lists': inList('[]', 11 * MIB),
  'empty strings': inList('""', 11 * MIB),
  numbers: inList('0', 11 * MIB),
  'fractional numbers': inList('0.1', 11 * MIB),
  nulls: inList('null', 11 * MIB),
  'objects of one field': inList('{"a":{}}', 11 * MIB),
  'short records': inList('{"object":"integration","id":"x"}', 11 * MIB),
  '95,000 records': numbered(95_000, (index) => record(index)),
  '400,000 names': numbered(400_000, (index) => `{"name${index}":1}`),
  'an object of 800,000 names': () =>
    Readable.from(
      (function* () {
        for (let index = 0; index < 800_000; index += 1) yield `${index === 0 ? '{' : ','}"n${index}":0`;
        yield '}';
      })(),
    ),
  'a hundred megabytes of white space': repeated(' ', 100 * MIB, LIST_BEFORE),
  'text without end': repeated('x', 100 * MIB, `${LIST_BEFORE}"`),
  'two-byte text, 11 MiB, of no list': repeated('漢', 11 * MIB, '["', '"]'),
  'escapes, 11 MiB, of no list': repeated('\\u0041', 11 * MIB, '["', '"]'),
  'percent escapes in percent escapes': repeated('%2541', 11 * MIB, '["', '"]'),
  'HTML escapes': repeated('&#65;', 11 * MIB, '["', '"]'),
  'full-width letters': repeated('ａ', 11 * MIB, '["', '"]'),
  'quotes and backslashes': repeated('\\"', 11 * MIB, '["', '"]'),
  'a number of eleven million digits': repeated('9', 11 * MIB, '[', ']'),
};

function sendStream(response: ServerResponse, stream: Readable, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(200, { 'content-type': 'application/json', ...headers });
  // A client that stops reading closes the connection.
  void pipeline(stream, response).catch(() => undefined);
}

function sendCompressed(response: ServerResponse, stream: Readable): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
  void pipeline(stream, createGzip(), response).catch(() => undefined);
}

/** Sends pages, each with the ID for the next. */
function sendPage(response: ServerResponse, path: string, page: (number: number) => readonly string[]): void {
  const number = Number(/starting_after=\D*(\d+)/.exec(path)?.[1] ?? -1) + 1;
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(`{"object":"list","has_more":true,"data":[${page(number).join(',')}]}`);
}

/** Text that is slow to search, sort or redact. */
const SLOW_TEXTS: Readonly<Record<string, string>> = {
  backslashes: '\\',
  'combining marks': '\u0301\u0323',
  'percent escapes': '%41',
  'letters with accents': 'é1',
  'opening quotes': 'key \u201c\u201c\\',
  'ligatures of eighteen letters': '\ufdfa',
  'base64 of base64': 'QUFBQUFB',
  'entities in entities': '&amp;',
};

const BODIES: readonly Body[] = [
  ...Object.entries(STREAMS).map(
    ([name, stream]): Body => ({ name, readable: false, send: (response) => sendStream(response, stream()) }),
  ),
  {
    name: 'a bomb of a gigabyte of white space',
    readable: false,
    send: (response) => sendCompressed(response, repeated(' ', 1024 * MIB, LIST_BEFORE)()),
  },
  {
    name: 'a bomb of brackets',
    readable: false,
    send: (response) => sendCompressed(response, repeated('[', 512 * MIB)()),
  },
  {
    name: 'garbage that claims to be compressed',
    readable: false,
    send: (response) => sendStream(response, repeated('x', MIB)(), { 'content-encoding': 'gzip' }),
  },
  {
    name: 'pages of a megabyte without end',
    readable: false,
    send: (response, path) => sendPage(response, path, (number) => [record(number, { title: 'x'.repeat(MIB) })]),
  },
  {
    name: 'pages of one record without end',
    readable: false,
    send: (response, path) => sendPage(response, path, (number) => [record(number)]),
  },
  {
    name: 'pages of empty objects without end',
    readable: false,
    send: (response, path) =>
      sendPage(response, path, (number) => [...Array.from({ length: 30_000 }, () => '{}'), record(number)]),
  },
  {
    name: 'an error of 11 MiB',
    readable: false,
    send: (response) => {
      response.writeHead(422, { 'content-type': 'application/json' });
      void pipeline(repeated('x', 11 * MIB, '{"error":{"message":"', '"}}')(), response).catch(() => undefined);
    },
  },
  {
    name: '19,000 records',
    readable: true,
    send: (response) => sendStream(response, numbered(19_000, (index) => record(index))()),
  },
  {
    name: '19,000 unreadable records',
    readable: true,
    send: (response) => sendStream(response, numbered(19_000, (index) => record(index, { active: 7 }))()),
  },
  {
    name: '19,000 failing records, compressed',
    readable: true,
    send: (response) =>
      sendCompressed(
        response,
        numbered(19_000, (index) =>
          record(index, { delivery_error_count: 2, last_error_message: `HTTP 503 of request ${index}` }),
        )(),
      ),
  },
  ...Object.entries(SLOW_TEXTS).flatMap(([name, text]): readonly Body[] =>
    [120 * 1024, 11 * MIB].map((bytes) => ({
      name: `${name} in ${bytes === 11 * MIB ? 'every message, 11 MiB' : 'one message'}`,
      readable: true,
      // The guard also alerts people about a list that it cannot read in time.
      orFails: true,
      send: (response) => {
        const perMessage = bytes === 11 * MIB ? 4_096 : bytes;
        const message = JSON.stringify(text.repeat(Math.ceil(perMessage / text.length)).slice(0, perMessage));
        const length = Buffer.byteLength(message);
        const count = Math.max(1, Math.floor(bytes / length));
        const [before, after] = record(1, { last_error_message: '@' }).split('"@"');
        const sent = (index: number) => `${before?.replace('"i1"', `"i${index}"`)}${message}${after}`;
        sendStream(response, numbered(count, sent)());
      },
    })),
  ),
  {
    name: 'eight answers to pauses, of 12 MiB each',
    readable: true,
    send: (response, path) => {
      if (path.endsWith('/status')) return sendStream(response, repeated('漢', 12 * MIB, '{"object":"', '"}')());
      const failing = {
        delivery_error_count: 500,
        last_delivery_at: '2026-11-01T00:00:00Z',
        last_error_at: new Date().toISOString(),
      };
      sendStream(
        response,
        numbered(20, (index) => record(index, { integration: `P${index % 7}`, ...(index < 8 ? failing : {}) }))(),
      );
    },
  },
  {
    name: 'one title of 11 MiB',
    readable: true,
    send: (response) => {
      const [before, after] = record(1, { title: '@' }).split('@');
      sendStream(response, repeated('漢', 11 * MIB, `${LIST_BEFORE}${before}`, `${after}]}`)());
    },
  },
];

/** A script that does what Lambda does. Plain JavaScript: Node's TypeScript loader uses memory of its own. */
function invocations(bundle: string, projects: readonly string[]): string {
  return `
    import { readFileSync } from 'node:fs';
    const { handler } = await import(${JSON.stringify(pathToFileURL(bundle).href)});
    const outcomes = [];
    for (const project of ${JSON.stringify(projects)}) {
      const until = Date.now() + 30_000;
      const begun = Date.now();
      const context = { awsRequestId: 'x', getRemainingTimeInMillis: () => until - Date.now() };
      const outcome = await handler({ project }, context).then(() => 'done', (error) => error.name);
      outcomes.push(Date.now() > until ? \`\${outcome} after \${Date.now() - begun} ms\` : outcome);
    }
    const megabytes = Number(/VmHWM:\\s+(\\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
    process.stderr.write(JSON.stringify({ outcomes, megabytes }));
  `;
}

export const hostileBodies: Kind = {
  name: 'hostile-bodies',
  promise: `The pass function survives every body in its ${MEMORY_MB} MB, and alerts people if it cannot read one.`,
  attack: async (size) => {
    const violations: string[] = [];
    const bodies = size === 'quick' ? BODIES.filter((_, index) => index % 3 === 0) : BODIES;
    const server = createServer((request, response) => {
      response.on('error', () => undefined);
      const path = request.url ?? '';
      bodies[Number(/^\/(\d+)\//.exec(path)?.[1])]?.send(response, path);
    });
    const origin = await listen(server);
    const [dynamo, sns, secrets] = await Promise.all([startDynamo(), startSns(), startSecretsManager()]);
    const { topicArn } = sns.createTopic('alerts');
    sns.createQueue('events');
    sns.subscribe({
      topic: 'alerts',
      queue: 'events',
      attributes: { RawMessageDelivery: 'true', FilterPolicy: JSON.stringify({ kind: ['event'] }) },
    });
    const names = bodies.map((_, index) => `p${index}`);
    for (const name of names) secrets.set(`keys/${name}`, A_KEY);
    const projects = Object.fromEntries(
      names.map((name, index) => [name, { secretName: `keys/${name}`, apiUrl: `${origin}/${index}/v4` }]),
    );
    const folder = await mkdtemp(join(tmpdir(), 'bodies-'));
    writeCode(folder, parseSettings({ projects }));

    const failed = new Set<string>();
    const runs = size === 'quick' ? [names] : names.map((name) => [name]);
    await pMap(
      runs,
      async (run) => {
        const script = invocations(join(folder, 'pass.mjs'), run);
        const label = (name: string) => bodies[Number(name.slice(1))]?.name ?? name;
        const { stderr, death } = await promisify(execFile)(
          process.execPath,
          [...heapOf(MEMORY_MB), '--input-type=module', '-e', script],
          { maxBuffer: 64 * MIB, env: { ...environmentOver({ dynamo, sns, secrets }, topicArn) } },
        ).then(
          (answer) => ({ ...answer, death: null }),
          (error: Error & { readonly stderr?: string }) => ({ stderr: error.stderr ?? '', death: error.message }),
        );
        if (death !== null) {
          violations.push(`${run.map(label).join('; ')}: the process died: ${stderr.slice(0, 300)}`);
          return;
        }
        const { outcomes, megabytes } = JSON.parse(stderr.slice(stderr.lastIndexOf('{"outcomes"'))) as {
          readonly outcomes: readonly string[];
          readonly megabytes: number;
        };
        if (megabytes > MEMORY_MB)
          violations.push(`${run.map(label).join('; ')}: took ${Math.round(megabytes)} MB of ${MEMORY_MB}`);
        for (const [index, name] of run.entries()) {
          const { readable = false, orFails = false } = bodies[Number(name.slice(1))] ?? {};
          const expected = [...(readable ? ['done'] : []), ...(!readable || orFails ? ['PassFailedError'] : [])];
          const outcome = outcomes[index] ?? 'nothing';
          if (!expected.includes(outcome)) violations.push(`${label(name)}: ended with ${outcome}`);
          if (outcome === 'PassFailedError') failed.add(name);
        }
      },
      { concurrency: 2 },
    );

    const alerted = new Set(
      (sns.inspectQueue('events')?.messages.ready ?? [])
        .map(
          ({ body }) =>
            JSON.parse((JSON.parse(body) as { default: string }).default) as { type: string; source: string },
        )
        .filter(({ type }) => type.endsWith('guard.failing'))
        .map(({ source }) => source),
    );
    for (const [index, { name }] of bodies.entries()) {
      const heard = [...alerted].some((source) => source.endsWith(`/p${index}`));
      if (heard !== failed.has(`p${index}`))
        violations.push(`${name}: ${heard ? 'an alert for no reason' : 'no one was alerted'}`);
    }
    await Promise.all([close(server), dynamo.stop(), sns.stop(), secrets.stop(), rm(folder, { recursive: true })]);
    return { tried: bodies.length, violations };
  },
};
