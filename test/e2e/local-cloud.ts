import { populate } from '../../functions/sandbox/scenario.ts';
import { PRODUCTION_KEY } from '../../functions/sandbox/server.ts';
import { deploy, STACK } from './deployment.ts';

/** `npm run local-cloud`: a whole deployed guard on this machine, left up to play with until Ctrl-C. */

console.log('Starting a local AWS, bootstrapping and deploying; the first time this also makes a Python environment …');
const deployment = await deploy();
const { cloud, sandbox } = deployment;
populate(sandbox.production);
populate(sandbox.testing);
const outputs = await deployment.outputs();
const ticking = setInterval(() => {
  sandbox.production.advance(1);
  sandbox.testing.advance(1);
}, 60_000);

const invoke = `new L.LambdaClient().send(new L.InvokeCommand({FunctionName:'${outputs.PassFunctionName}',Payload:JSON.stringify({project:'production'})}))`;
const fill = `new S.SecretsManagerClient().send(new S.PutSecretValueCommand({SecretId:'qonversion/production',SecretString:'${PRODUCTION_KEY}'}))`;
const receive = `new Q.SQSClient().send(new Q.ReceiveMessageCommand({QueueUrl:'${deployment.digestsQueue}',MaxNumberOfMessages:10}))`;

console.log(`
The guard is deployed as stack ${STACK}, with a schedule of one minute. In another terminal, in this folder:

  export AWS_ENDPOINT_URL=${cloud.endpoint} AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
  export PATH="$PWD/node_modules/.bin:$PATH"

Fill the secret (until then every pass says that it is empty):
  node -e "const S=require('@aws-sdk/client-secrets-manager');${fill}"
See what the guard sees, and work with it:
  npx integration-guard list --stack ${STACK} --project production
  npx integration-guard pause slack-wins --stack ${STACK} --project production
Let a provider fail, and wait a minute for the schedule (or invoke a pass yourself):
  curl -s ${sandbox.controlUrl}/patch -d '{"id":"af-ios","fields":{"delivery_error_count":80,"last_delivery_at":"2026-01-01T00:00:00Z"}}'
  node -e "const L=require('@aws-sdk/client-lambda');${invoke}.then(r=>console.log(r.Payload.transformToString()))"
Read what people are told:
  node -e "const Q=require('@aws-sdk/client-sqs');${receive}.then(r=>(r.Messages||[]).forEach(m=>console.log(m.Body)))"
Open the sandbox:
  curl -s ${sandbox.controlUrl}/state

Ctrl-C ends and removes everything.`);

await new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve);
});
clearInterval(ticking);
await deployment.stop();
