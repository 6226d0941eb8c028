import { pathToFileURL } from 'node:url';

/**
 * A process that does nothing but what Lambda's would: loads the bundle and runs three passes. Prints the most memory it had, in
 * megabytes.
 */
const [, , bundle = ''] = process.argv;
const { handler } = (await import(pathToFileURL(bundle).href)) as {
  handler: (event: unknown, context: unknown) => Promise<unknown>;
};
const deadline = Date.now() + 120_000;
const context = { awsRequestId: 'bench', getRemainingTimeInMillis: () => deadline - Date.now() };
for (let passes = 0; passes < 3; passes += 1) await handler({ project: 'production' }, context);
process.stderr.write(`${Math.round(process.resourceUsage().maxRSS / 1_024)}\n`);
