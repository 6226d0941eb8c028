import { parseArgs } from 'node:util';
import { populate } from './scenario.ts';
import { PRODUCTION_KEY, startSandbox, TEST_KEY } from './server.ts';
import { World } from './world.ts';

/** The sandbox by itself: `node functions/sandbox/main.ts [--port N] [--speed MINUTES_PER_SECOND] [--page-size N]`. */
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    speed: { type: 'string', default: '1' },
    'page-size': { type: 'string' },
  },
});

const startAt = new Date().toISOString();
const sandbox = await startSandbox({
  production: new World({ startAt }),
  testing: new World({ startAt }),
  port: Number(values.port),
  ...(values['page-size'] === undefined ? {} : { pageSize: Number(values['page-size']) }),
});
populate(sandbox.production);
populate(sandbox.testing);

const speed = Number(values.speed);
const ticking = setInterval(() => {
  sandbox.production.advance(speed);
  sandbox.testing.advance(speed);
}, 1_000);

console.log(
  JSON.stringify(
    { url: sandbox.url, controlUrl: sandbox.controlUrl, keys: { production: PRODUCTION_KEY, testing: TEST_KEY } },
    null,
    2,
  ),
);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    clearInterval(ticking);
    void sandbox.close().then(() => process.exit(0));
  });
}
