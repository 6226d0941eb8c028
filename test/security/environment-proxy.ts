import { execFile } from 'node:child_process';
import { createServer, type IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { close, listen } from '../support/loopback.ts';
import { A_KEY, listOf, sentRecord, startHostileApi } from './hostile-api.ts';
import type { Kind } from './kind.ts';

/** Proxy settings in the environment of a machine, a container or a Lambda function. */
function environments(proxy: string): readonly Readonly<Record<string, string>>[] {
  const NODE_USE_ENV_PROXY = '1';
  return [
    { NODE_USE_ENV_PROXY, HTTP_PROXY: proxy },
    { NODE_USE_ENV_PROXY, http_proxy: proxy },
    { NODE_USE_ENV_PROXY, HTTPS_PROXY: proxy },
    { NODE_USE_ENV_PROXY, https_proxy: proxy },
    { NODE_USE_ENV_PROXY, HTTP_PROXY: proxy, HTTPS_PROXY: proxy },
    { NODE_USE_ENV_PROXY, HTTP_PROXY: proxy, NO_PROXY: '' },
    { NODE_USE_ENV_PROXY, HTTP_PROXY: proxy, NO_PROXY: 'example.com' },
    { NODE_USE_ENV_PROXY: 'true', HTTP_PROXY: proxy },
    { NODE_OPTIONS: '--use-env-proxy', HTTP_PROXY: proxy },
    { NODE_OPTIONS: '--use-env-proxy', HTTP_PROXY: proxy, HTTPS_PROXY: proxy, http_proxy: proxy, https_proxy: proxy },
    { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, ALL_PROXY: proxy },
    { ALL_PROXY: proxy, all_proxy: proxy, NODE_USE_ENV_PROXY },
    { npm_config_proxy: proxy, npm_config_https_proxy: proxy, GLOBAL_AGENT_HTTP_PROXY: proxy, NODE_USE_ENV_PROXY },
  ];
}

/** A script that lists the integrations once, over `http:` and over `https:`. */
const LISTER = `
  import { createQonversionClient } from ${JSON.stringify(new URL('../../functions/qonversion/client.ts', import.meta.url).href)};
  import { SecretKey } from ${JSON.stringify(new URL('../../functions/qonversion/secret-key.ts', import.meta.url).href)};
  const key = new SecretKey(${JSON.stringify(A_KEY)});
  for (const apiUrl of JSON.parse(process.env.API_URLS)) {
    const client = createQonversionClient({
      apiUrl, key: { get: async () => key, renew: async () => key }, clock: { now: () => new Date() },
      remainingMs: () => 5_000, retries: 0,
    });
    const answer = await client.list().then(({ records }) => records.length, (error) => error.name);
    console.log(answer);
  }
`;

export const environmentProxy: Kind = {
  name: 'environment-proxy',
  promise: 'The client sends the Secret Key to the API’s own address, even if the environment names a proxy.',
  attack: async (size) => {
    const violations: string[] = [];
    const heard: string[] = [];
    const hear = (request: IncomingMessage) => void heard.push(`${request.method} ${request.url}`);
    const server = createServer((request, response) => {
      hear(request);
      response.end(listOf());
    });
    server.on('connect', (request: IncomingMessage, socket) => {
      hear(request);
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    });
    const proxy = await listen(server);
    const api = await startHostileApi(A_KEY);
    api.answer = (response) => void response.end(listOf(sentRecord()));
    const all = environments(proxy);
    const chosen = size === 'quick' ? all.slice(0, 10) : all;
    // In parallel, because starting Node takes most of the time.
    await Promise.all(
      chosen.map(async (environment) => {
        const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', LISTER], {
          env: {
            ...environment,
            API_URLS: JSON.stringify([api.url, api.url.replace('http:', 'https:').replace('127.0.0.1', 'localhost')]),
          },
        });
        if (!stdout.startsWith('1\n'))
          violations.push(`${JSON.stringify(environment)}: the list was ${JSON.stringify(stdout)}`);
      }),
    );
    if (heard.length > 0) violations.push(`the proxy received ${heard.join(', ')}`);
    await api.close();
    await close(server);
    return { tried: chosen.length, violations };
  },
};
