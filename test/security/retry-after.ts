import fc from 'fast-check';
import { A_KEY, startHostileApi } from './hostile-api.ts';
import type { Kind } from './kind.ts';

/** The number of requests that a client sends if it follows "429, wait for N". */
async function requestsAfter(retryAfter: string, status: number): Promise<number> {
  const api = await startHostileApi(A_KEY);
  api.answer = (response) => {
    response.writeHead(status, { 'retry-after': retryAfter, date: new Date(0).toUTCString() });
    response.end();
  };
  await api
    .client({ retries: 4 })
    .list()
    .catch(() => undefined);
  await api.close();
  return api.requests();
}

const LISTED = [
  '86400',
  '2147483647',
  '2147483648',
  '4294967296',
  '99999999999',
  '9007199254740993',
  '1'.padEnd(400, '0'),
  '000000000000086400',
  ' 86400 ',
  '86400.0',
  'Fri, 31 Dec 9999 23:59:59 GMT',
  'Thu, 01 Jan 2099 00:00:00 GMT',
];

export const retryAfter: Kind = {
  name: 'retry-after',
  promise: 'The client stops sending requests if the API asks for a longer wait than a pass can afford.',
  attack: async (size) => {
    const violations: string[] = [];
    const seconds = fc.sample(fc.bigInt({ min: 61n, max: 10n ** 30n }), {
      seed: 1,
      numRuns: size === 'quick' ? 20 : 500,
    });
    const values = [...LISTED, ...seconds.map(String)];
    for (const [index, value] of values.entries()) {
      const status = index % 3 === 0 ? 503 : 429;
      const requests = await requestsAfter(value, status);
      if (requests !== 1) violations.push(`${status} with Retry-After ${value}: ${requests} requests`);
    }
    // It does wait when a pass can afford it.
    for (const value of ['0', '1', '29']) {
      const requests = await requestsAfter(value, 429);
      if (requests !== 5) violations.push(`429 with Retry-After ${value}: ${requests} requests instead of five`);
    }
    return { tried: values.length + 3, violations };
  },
};
