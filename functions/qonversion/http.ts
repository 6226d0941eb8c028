import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

/**
 * HTTP as the client needs it, on Node's own modules. `fetch` would take a proxy from the environment (`NODE_USE_ENV_PROXY`), and
 * with it send the key to that proxy, for loopback even in plain text (law 4). Redirects are answers like any other here.
 */
export interface Http {
  /**
   * @throws BodyTooLargeError
   * @throws the network's own error, with the system's `code`
   */
  send(request: HttpRequest): Promise<HttpAnswer>;
}

export interface HttpRequest {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Ends the exchange, body included: a body that drips in forever ends like a connection that never answers. */
  readonly signal: AbortSignal;
  /** Bytes of a body, after decompression. What is longer is not read to its end. */
  readonly maxBytes: number;
}

export interface HttpAnswer {
  readonly status: number;
  /** @param name in lower case; null when the answer does not have it */
  header(name: string): string | null;
  readonly body: Buffer;
}

export class BodyTooLargeError extends Error {
  override readonly name = 'BodyTooLargeError';
}

/** Idle connections are closed before servers usually do it: a request on one that is being closed has no answer. */
const KEPT = { keepAlive: true, timeout: 4_000 };

/** Connections are kept for the next request of the same client, and for no other's. */
export function createHttp(): Http {
  // Agents of our own: only Node's global ones take a proxy from the environment.
  const plain = new HttpAgent(KEPT);
  const encrypted = new HttpsAgent(KEPT);
  return {
    send: (request) => untilAborted(exchange(request), request.signal),
  };

  async function exchange({ url, method, headers, body, signal, maxBytes }: HttpRequest): Promise<HttpAnswer> {
    const options = { method, headers: { ...headers, 'accept-encoding': 'gzip' }, signal };
    const request = /^https:/i.test(url)
      ? httpsRequest(url, { ...options, agent: encrypted })
      : httpRequest(url, { ...options, agent: plain });
    const answer = await answerTo(request, body);
    const status = answer.statusCode ?? 0;
    return {
      status,
      header: (name) => {
        const value = answer.headers[name];
        return typeof value === 'string' ? value : null;
      },
      body: isGood(status) ? await readBody(decompressed(answer), maxBytes) : await readExplanation(answer),
    };
  }
}

function isGood(status: number): boolean {
  return status >= 200 && status < 300;
}

/** Nothing of Node's is trusted to end in time: an answer that it does not understand can end in no event at all. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function answerTo(request: ClientRequest, body: string | null): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    // For good: a connection can also break after the answer has begun, and nobody else listens then.
    request.on('error', reject);
    request.end(body ?? undefined);
  });
}

/** What an answer says that is none: its status and its headers count, whatever becomes of its body. */
async function readExplanation(answer: IncomingMessage): Promise<Buffer> {
  try {
    return await readBody(decompressed(answer), MAX_EXPLANATION_BYTES);
  } catch {
    return Buffer.alloc(0);
  }
}

const MAX_EXPLANATION_BYTES = 64 * 1024;

function decompressed(answer: IncomingMessage): Readable {
  // An error of either ends the other, and the reader.
  return /^(?:x-)?gzip$/i.test(answer.headers['content-encoding'] ?? '')
    ? pipeline(answer, createGunzip(), () => undefined)
    : answer;
}

async function readBody(stream: Readable, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Leaving the loop, by an error too, destroys the stream and its connection.
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new BodyTooLargeError(`the body is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
