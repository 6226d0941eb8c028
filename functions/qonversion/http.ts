import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

/**
 * HTTP on Node's own modules. `fetch` would read a proxy from the environment (`NODE_USE_ENV_PROXY`) and send the key
 * to that proxy, for loopback even in plain text (law 4). Redirects are not followed.
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
  /**
   * Ends the exchange, including the body: a body that arrives too slowly is aborted like a connection without an
   * answer.
   */
  readonly signal: AbortSignal;
  /** Limit of the body in bytes, after decompression. Reading stops at the limit. */
  readonly maxBytes: number;
}

export interface HttpAnswer {
  readonly status: number;
  /**
   * @param name in lower case
   * @returns null if the answer does not have the header
   */
  header(name: string): string | null;
  readonly body: Buffer;
}

export class BodyTooLargeError extends Error {
  override readonly name = 'BodyTooLargeError';
}

/** Closes idle connections before servers usually do: a request on a connection that is closing gets no answer. */
const KEPT = { keepAlive: true, timeout: 4_000 };

/** Connections are reused only by the same client. */
export function createHttp(): Http {
  // Own agents: only Node's global agents read a proxy from the environment.
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

/** Ends with the signal even if Node emits no event, which happens for some malformed answers. */
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
    // The listener stays: a connection can also break after the answer has begun, when nothing else listens.
    request.on('error', reject);
    request.end(body ?? undefined);
  });
}

/** The body of an answer outside 2xx. Status and headers matter even if the body cannot be read. */
async function readExplanation(answer: IncomingMessage): Promise<Buffer> {
  try {
    return await readBody(decompressed(answer), MAX_EXPLANATION_BYTES);
  } catch {
    return Buffer.alloc(0);
  }
}

const MAX_EXPLANATION_BYTES = 64 * 1024;

function decompressed(answer: IncomingMessage): Readable {
  // An error on either stream ends both, and the reader.
  return /^(?:x-)?gzip$/i.test(answer.headers['content-encoding'] ?? '')
    ? pipeline(answer, createGunzip(), () => undefined)
    : answer;
}

async function readBody(stream: Readable, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Leaving the loop, also by an error, destroys the stream and its connection.
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new BodyTooLargeError(`the body is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
