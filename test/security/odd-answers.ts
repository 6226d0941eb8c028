import { createServer, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { createQonversionClient } from '../../functions/qonversion/client.ts';
import { QonversionError } from '../../functions/qonversion/errors.ts';
import { SecretKey } from '../../functions/qonversion/secret-key.ts';
import { A_KEY, listOf, sentRecord } from './hostile-api.ts';
import type { Kind } from './kind.ts';

/** Bytes that servers, gateways and intruders may send instead of an answer. */

const OK = listOf(sentRecord());
const withLength = (head: string, body: string | Buffer) =>
  Buffer.concat([Buffer.from(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`), Buffer.from(body)]);
const REFUSALS = [400, 401, 403, 404, 409, 422, 429] as const;

interface Case {
  readonly name: string;
  readonly bytes: Buffer;
  /** Whether the connection stays open afterwards. */
  readonly open?: boolean;
  /** The status that counts, even if the rest is wrong. */
  readonly status?: number;
  readonly isList?: boolean;
}

const CASES: readonly Case[] = [
  {
    name: '101',
    bytes: Buffer.from('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'),
    open: true,
  },
  { name: '101 without headers', bytes: Buffer.from('HTTP/1.1 101 x\r\n\r\n'), open: true },
  { name: '100 again and again', bytes: Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'.repeat(1_000)), open: true },
  {
    name: '103, then a list',
    bytes: Buffer.concat([
      Buffer.from('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'),
      withLength('HTTP/1.1 200 OK', OK),
    ]),
    isList: true,
  },
  { name: 'no reason', bytes: withLength('HTTP/1.1 200', OK), isList: true },
  { name: 'HTTP/1.0 without a length', bytes: Buffer.from(`HTTP/1.0 200 OK\r\n\r\n${OK}`), isList: true },
  { name: 'a byte-order mark', bytes: withLength('HTTP/1.1 200 OK', `\ufeff${OK}`), isList: true },
  { name: 'compressed', bytes: withLength('HTTP/1.1 200 OK\r\ncontent-encoding: gzip', gzipSync(OK)), isList: true },
  {
    name: 'compressed, in capitals',
    bytes: withLength('HTTP/1.1 200 OK\r\nContent-Encoding: GZIP', gzipSync(OK)),
    isList: true,
  },
  {
    name: 'compressed, x-gzip',
    bytes: withLength('HTTP/1.1 200 OK\r\ncontent-encoding: x-gzip', gzipSync(OK)),
    isList: true,
  },
  {
    name: 'compressed twice',
    bytes: withLength('HTTP/1.1 200 OK\r\ncontent-encoding: gzip, gzip', gzipSync(gzipSync(OK))),
  },
  {
    name: 'compressed and cut',
    bytes: withLength('HTTP/1.1 200 OK\r\ncontent-encoding: gzip', gzipSync(OK).subarray(0, 40)),
  },
  { name: 'nothing, compressed', bytes: withLength('HTTP/1.1 200 OK\r\ncontent-encoding: gzip', '') },
  { name: '204, compressed', bytes: Buffer.from('HTTP/1.1 204 No Content\r\ncontent-encoding: gzip\r\n\r\n') },
  { name: '304', bytes: Buffer.from('HTTP/1.1 304 Not Modified\r\ncontent-encoding: gzip\r\n\r\n'), open: true },
  { name: 'longer than it says', bytes: Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n${OK}`) },
  { name: 'shorter than it says', bytes: Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n${OK}`) },
  { name: 'two lengths', bytes: Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n${OK}`) },
  {
    name: 'a chunk of no length',
    bytes: Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n'),
  },
  {
    name: 'chunks and a trailer',
    bytes: Buffer.from(
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${OK.length.toString(16)}\r\n${OK}\r\n0\r\nx: y\r\n\r\n`,
    ),
    isList: true,
  },
  { name: 'headers without end', bytes: Buffer.from(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`), open: true },
  { name: 'a status of four digits', bytes: withLength('HTTP/1.1 9999 x', OK) },
  { name: 'status 0', bytes: withLength('HTTP/1.1 000 x', OK) },
  { name: 'another protocol', bytes: Buffer.from('220 mail.example.com ESMTP\r\n') },
  { name: 'TLS', bytes: Buffer.from([0x15, 0x03, 0x01, 0, 2, 2, 70]) },
  { name: 'nothing at all', bytes: Buffer.alloc(0) },
  { name: 'nothing, and the connection stays', bytes: Buffer.alloc(0), open: true },
  ...REFUSALS.flatMap((status): readonly Case[] => [
    {
      name: `${status}, compressed, of nothing`,
      bytes: withLength(`HTTP/1.1 ${status} x\r\ncontent-encoding: gzip\r\nretry-after: 3600`, ''),
      status,
    },
    {
      name: `${status}, compressed, of garbage`,
      bytes: withLength(`HTTP/1.1 ${status} x\r\ncontent-encoding: gzip\r\nretry-after: 3600`, 'garbage'),
      status,
    },
    {
      name: `${status}, cut`,
      bytes: Buffer.from(`HTTP/1.1 ${status} x\r\nretry-after: 3600\r\ncontent-length: 99\r\n\r\n{"err`),
      status,
    },
    {
      name: `${status}, of 100 kB`,
      bytes: withLength(`HTTP/1.1 ${status} x\r\nretry-after: 3600`, 'x'.repeat(100_000)),
      status,
    },
  ]),
];

/** Heads and bodies that do not match. */
const arbitrary = fc
  .record({
    status: fc.constantFrom(
      '200 OK',
      '200',
      '201 x',
      '500 x',
      '503 x',
      '302 Found',
      '418 x',
      '600 x',
      '20 x',
      '1000 x',
    ),
    headers: fc.array(
      fc.constantFrom(
        'content-encoding: gzip',
        'content-encoding: deflate',
        'transfer-encoding: chunked',
        'transfer-encoding: gzip, chunked',
        'content-length: 3',
        'content-length: 99999',
        'content-length: -1',
        'connection: close',
        'connection: upgrade',
        'upgrade: websocket',
        'retry-after: 1',
        'date: never',
        'location: http://127.0.0.1:9/steal',
        'content-type: text/html',
        ': no name',
        'no colon',
        `x: ${'y'.repeat(20_000)}`,
      ),
      { maxLength: 4 },
    ),
    body: fc.constantFrom('', '{', OK, '[]', 'null', '0\r\n\r\n', '5\r\nhello\r\n0\r\n\r\n', '\u0000\u0001', '<html>'),
    open: fc.boolean(),
  })
  .map(({ status, headers, body, open }): Case => {
    const text = `HTTP/1.1 ${status}\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n${body}`;
    return { name: JSON.stringify(text.slice(0, 120)), bytes: Buffer.from(text), open };
  });

/** Time limit of a try that is only promised to end. */
const TRY_MS = 300;
/** Time limit of a try with a promised answer: longer than a busy machine pauses. */
const PROMISED_TRY_MS = 20_000;

export const oddAnswers: Kind = {
  name: 'odd-answers',
  promise: 'Every answer ends in time and in one clear sentence, and a status counts even if its body is broken.',
  attack: async (size) => {
    const violations: string[] = [];
    let bytes: Buffer = Buffer.alloc(0);
    let open = false;
    let connections = 0;
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      connections += 1;
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
      socket.on('data', () => (open ? socket.write(bytes) : socket.end(bytes)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const key = new SecretKey(A_KEY);
    const generated = fc.sample(arbitrary, { seed: 1, numRuns: size === 'quick' ? 10 : 300 });
    const all = [...CASES, ...generated];
    for (const each of all) {
      ({ bytes, open = false } = each);
      connections = 0;
      const waits: number[] = [];
      const timeoutMs = each.status !== undefined || each.isList === true ? PROMISED_TRY_MS : TRY_MS;
      const client = createQonversionClient({
        apiUrl: `http://127.0.0.1:${port}/v4`,
        key: { get: async () => key, renew: async () => key },
        clock: { now: () => new Date('2026-11-23T12:00:00Z') },
        remainingMs: () => 600_000,
        timeoutMs,
        retries: 1,
        firstWaitMs: 1,
        sleep: async (ms) => waits.push(ms),
      });
      const begun = performance.now();
      const late = new Promise<'late'>((resolve) => setTimeout(resolve, 20 * timeoutMs, 'late').unref());
      const outcome = await Promise.race([late, client.list().catch((error: unknown) => error)]);
      const say = (problem: string) => violations.push(`${each.name}: ${problem}`);
      if (outcome === 'late') say(`no end after ${Math.round(performance.now() - begun)} ms`);
      else if (each.isList === true && outcome instanceof Error) say(`the list was refused: ${outcome.message}`);
      else if (outcome instanceof Error && !(outcome instanceof QonversionError)) say(`ended with ${outcome.stack}`);
      else if (outcome instanceof Error && /\n|\u0000/.test(outcome.message))
        say(`not one sentence: ${outcome.message}`);
      if (each.status !== undefined) {
        const status = outcome instanceof QonversionError ? outcome.status : null;
        if (status !== each.status) say(`the status was ${status}`);
        if (connections !== 1) say(`asked ${connections} times`);
        const answer = await client.setStatus('broken', 0);
        const expected = each.status === 401 ? 'key-refused' : 'refused';
        if (answer.outcome !== expected) say(`a pause that was refused counts as ${answer.outcome}`);
      }
    }
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    return { tried: all.length, violations };
  },
};
