import { liveWorld, STATE_AT_START } from '../../functions/sandbox/live.ts';
import { PRODUCTION_KEY } from '../../functions/sandbox/server.ts';
import { listenForInterruption } from '../../functions/sandbox/until-interrupted.ts';
import { type Deployment, deploy, STACK, TWO_PROJECTS, type Watched } from './deployment.ts';

/** `npm run local-cloud`: a deployed guard on this machine, until Ctrl-C. */

const WATCHED: Watched = {
  ...TWO_PROJECTS,
  worlds: () => {
    const now = Date.now();
    return { production: liveWorld(now), testing: liveWorld(now), clock: { now: Date.now, speed: 1 } };
  },
  settings: (about) =>
    TWO_PROJECTS.settings({
      ...about,
      policy: { recovery: { mode: 'probe', cooldownMinutes: 1, maxCooldownMinutes: 5 }, ...about.policy },
    }),
};

console.log(
  'Deploying into an AWS emulator on this machine. This takes a minute, and the first time it also installs Python packages.',
);
const deployment = await deploy(WATCHED);
const interruption = listenForInterruption();
console.log(describe(deployment));
await interruption.interrupted;
await deployment.stop();

/** Commands to copy. A test runs them as they are printed. */
function describe({ cloud, sandbox, digestsQueue }: Deployment): string {
  const place = `--stack ${STACK} --project production`;
  return `
The guard is deployed as stack ${STACK}. It runs a pass every minute over a local Qonversion, in real time:

${STATE_AT_START.map((sentence) => `- ${sentence}`).join('\n')}

In another terminal, in this folder:

  export AWS_ENDPOINT_URL=${cloud.endpoint} AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
  export PATH="$PWD/node_modules/.bin:${cloud.programs}:$PATH"

Store the Secret Key. Until then each pass reports that the secret is empty.

  printf %s ${PRODUCTION_KEY} | aws secretsmanager put-secret-value --secret-id qonversion/production --secret-string file:///dev/stdin

The next pass pauses hook-crm and af-android. Wait a minute for it, or run it yourself. In this deployment 50 failures are enough for a
pause, and the guard does not wait an hour.

  npx integration-guard run ${place}
  npx integration-guard list ${place}

Let Mixpanel fail, as if it had failed for an hour. The next pass pauses mix-ios.

  curl -s ${sandbox.controlUrl}/break -d '{"id":"mix-ios","message":"HTTP 500","hoursAgo":1}'
  npx integration-guard run ${place}

Repair it. A minute later the guard probes mix-ios, and after some minutes with deliveries you get its recovery.

  curl -s ${sandbox.controlUrl}/repair -d '{"id":"mix-ios"}'
  npx integration-guard history ${place}

Pause one yourself: the guard leaves it off.

  npx integration-guard pause amp-ios ${place}

Read the mails:

  aws sqs receive-message --endpoint-url "$AWS_ENDPOINT_URL" --queue-url ${digestsQueue} --max-number-of-messages 10 --query 'Messages[].Body' --output text

Ctrl-C ends and removes everything.`;
}
