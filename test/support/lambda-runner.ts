import { pathToFileURL } from 'node:url';

/** The child process of `startLambda`: loads the bundle and handles invocations. */
type Handler = (
  event: unknown,
  context: { readonly awsRequestId: string; readonly invokedFunctionArn: string; getRemainingTimeInMillis(): number },
) => Promise<unknown>;

const [, , bundle = ''] = process.argv;
const { handler } = (await import(pathToFileURL(bundle).href)) as { handler: Handler };

let requests = 0;
process.on('message', async ({ event, remainingMs }: { event: unknown; remainingMs: number }) => {
  requests += 1;
  const deadline = Date.now() + remainingMs;
  const context = {
    awsRequestId: `request-${requests}`,
    invokedFunctionArn: 'arn:aws:lambda:us-east-1:123456789012:function:this-one',
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
  try {
    process.send?.({ result: await handler(event, context) });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    process.send?.({ error: { name, message } });
  }
});
