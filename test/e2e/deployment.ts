import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { IAMClient } from '@aws-sdk/client-iam';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import {
  CreateSecretCommand,
  type CreateSecretCommandInput,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { type Sandbox, type SandboxOptions, startSandbox, TEST_KEY } from '../../functions/sandbox/server.ts';
import { World } from '../../functions/sandbox/world.ts';
import { ACCOUNT, type Cloud, PROJECT, type ProgramResult, REGION, startCloud } from './cloud.ts';
import { type DeployableTemplate, withoutEventBridge } from './without-eventbridge.ts';

export const STACK = 'IntegrationGuard';

/** The unchanged app, deployed into the local cloud, with a sandbox as its API, and queues that receive its messages. */
export interface Deployment {
  readonly cloud: Cloud;
  /** The folder of the app that was deployed. */
  readonly app: string;
  readonly sandbox: Sandbox;
  readonly settingsFile: string;
  /** The queue in the settings: one CloudEvent per event. */
  readonly eventsQueue: string;
  /** A queue with the messages to people, subscribed from outside the stack. */
  readonly digestsQueue: string;
  /** The whole template, if resources were left out of the deployed one. */
  readonly template: DeployableTemplate | null;
  readonly clients: {
    readonly cloudformation: CloudFormationClient;
    readonly cloudwatch: CloudWatchClient;
    readonly dynamodb: DynamoDBClient;
    readonly iam: IAMClient;
    readonly lambda: LambdaClient;
    readonly secrets: SecretsManagerClient;
    readonly sfn: SFNClient;
    readonly sns: SNSClient;
    readonly sqs: SQSClient;
  };
  /** Outputs of the stack by name. */
  outputs(): Promise<Readonly<Record<string, string>>>;
  /** Invokes the function in a stack output. */
  invoke(output: string, payload: unknown): Promise<{ readonly error: string | undefined; readonly body: unknown }>;
  /** Receives and deletes all messages of a queue. */
  receive(queue: string): Promise<readonly string[]>;
  /** Waits for an effect of the schedule: a minute, the ten seconds of the emulator's sweep, and a reserve. */
  untilScheduled(what: string, condition: () => boolean | Promise<boolean>): Promise<void>;
  writeSettings(policy?: Readonly<Record<string, unknown>>): Promise<void>;
  stop(): Promise<void>;
}

/** The projects that a deployment watches. */
export interface Watched {
  /** @param startAt the beginning of the sandbox's worlds: now, because the deployed guard uses the real clock */
  readonly worlds: (startAt: string) => SandboxOptions;
  /** Secrets that exist before the stack. */
  readonly secrets: readonly CreateSecretCommandInput[];
  /** `projects` or `fleet` of the settings. */
  readonly settings: (about: {
    readonly apiUrl: string;
    readonly policy: Readonly<Record<string, unknown>>;
    /** ARNs of the secrets by name. */
    readonly arns: ReadonlyMap<string, string>;
  }) => Readonly<Record<string, unknown>>;
  /** Incident tools, whose connections and pipes the emulator does not have (`without-eventbridge.ts`). */
  readonly incidentTools?: readonly Readonly<Record<string, unknown>>[];
}

/** Two listed projects: one whose secret the stack creates, one whose secret exists. */
export const TWO_PROJECTS: Watched = {
  worlds: (startAt) => ({ production: new World({ startAt }), testing: new World({ startAt }) }),
  secrets: [{ Name: 'qonversion/staging', SecretString: TEST_KEY }],
  settings: ({ apiUrl, policy, arns }) => ({
    dashboard: true,
    projects: {
      // A test cannot wait until failures have been observed for an hour.
      production: {
        secretName: 'qonversion/production',
        apiUrl,
        policy: { failingForMinutes: 0, recovery: { mode: 'manual' }, ...policy },
      },
      staging: { secretArn: arns.get('qonversion/staging'), apiUrl, policy: { mode: 'observe' } },
    },
  }),
};

/** @param prepareApp puts the app into a folder, which is removed with the cloud, @default this checkout */
export async function deploy(
  watched: Watched = TWO_PROJECTS,
  prepareApp: (folder: string) => Promise<string> = async () => PROJECT,
): Promise<Deployment> {
  const cloud = await startCloud();
  const settingsFile = join(cloud.folder, 'test-settings.json');
  const sandbox = await startSandbox(watched.worlds(new Date().toISOString()));
  const options = {
    endpoint: cloud.endpoint,
    region: REGION,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  };
  const clients = {
    cloudformation: new CloudFormationClient(options),
    cloudwatch: new CloudWatchClient(options),
    dynamodb: new DynamoDBClient(options),
    iam: new IAMClient(options),
    lambda: new LambdaClient(options),
    secrets: new SecretsManagerClient(options),
    sfn: new SFNClient(options),
    sns: new SNSClient(options),
    sqs: new SQSClient(options),
  };
  const stop = async () => {
    for (const client of Object.values(clients)) client.destroy();
    await sandbox.close();
    await cloud.stop();
  };
  try {
    const createQueue = async (QueueName: string) =>
      (await clients.sqs.send(new CreateQueueCommand({ QueueName }))).QueueUrl ?? '';
    const eventsQueue = await createQueue('guard-events');
    const digestsQueue = await createQueue('guard-digests');
    const arns = new Map<string, string>();
    for (const secret of watched.secrets) {
      const { ARN = '' } = await clients.secrets.send(new CreateSecretCommand(secret));
      arns.set(secret.Name ?? '', ARN);
    }

    const writeSettings = (policy: Readonly<Record<string, unknown>> = {}) =>
      writeFile(
        settingsFile,
        JSON.stringify({
          schedule: 'rate(1 minute)',
          ...watched.settings({ apiUrl: sandbox.url, policy, arns }),
          alerts: {
            subscriptions: [
              { sqs: `arn:aws:sqs:${REGION}:${ACCOUNT}:guard-events` },
              // Without alarms, which can come at any time and would change the counts.
              { email: 'ops@example.com', minSeverity: 'warning', alarms: false },
              { sms: '+15551230000', minSeverity: 'critical', projects: ['production'], alarms: false },
              ...(watched.incidentTools ?? []),
            ],
          },
        }),
      );
    await writeSettings();
    const app = await prepareApp(join(cloud.folder, 'app'));
    await must(cloud.cdk(['bootstrap', `aws://${ACCOUNT}/${REGION}`], settingsFile, app));
    const asked = ['--require-approval', 'never'];
    let template: DeployableTemplate | null = null;
    if (watched.incidentTools === undefined) await must(cloud.cdk(['deploy', ...asked], settingsFile, app));
    else {
      await must(cloud.cdk(['synth', '--quiet'], settingsFile, app));
      const file = cloud.template(STACK);
      template = JSON.parse(await readFile(file, 'utf8')) as DeployableTemplate;
      await writeFile(file, JSON.stringify(withoutEventBridge(template)));
      await must(cloud.cdk(['deploy', ...asked, '--app', dirname(file)], settingsFile, app));
    }

    const outputs = async () => {
      const { Stacks } = await clients.cloudformation.send(new DescribeStacksCommand({ StackName: STACK }));
      const pairs = (Stacks?.[0]?.Outputs ?? []).map(
        ({ OutputKey, OutputValue }) => [OutputKey ?? '', OutputValue ?? ''] as const,
      );
      return Object.fromEntries(pairs);
    };
    const invoke: Deployment['invoke'] = async (output, payload) => {
      const FunctionName = (await outputs())[output];
      const answer = await clients.lambda.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify(payload) }));
      return { error: answer.FunctionError, body: JSON.parse(answer.Payload?.transformToString() ?? 'null') };
    };
    const receive = async (QueueUrl: string) => {
      const bodies: string[] = [];
      for (;;) {
        const { Messages = [] } = await clients.sqs.send(
          new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 600 }),
        );
        if (Messages.length === 0) return bodies;
        bodies.push(...Messages.map(({ Body = '' }) => Body));
      }
    };
    const untilScheduled: Deployment['untilScheduled'] = async (what, condition) => {
      for (let waited = 0; waited < 120; waited += 1) {
        if (await condition()) return;
        await sleep(1_000);
      }
      throw new Error(`the schedule has not led to: ${what}\n${(await cloud.log()).slice(-3_000)}`);
    };
    await clients.sns.send(
      new SubscribeCommand({
        TopicArn: (await outputs()).AlertsTopicArn,
        Protocol: 'sqs',
        Endpoint: `arn:aws:sqs:${REGION}:${ACCOUNT}:guard-digests`,
        Attributes: { RawMessageDelivery: 'true', FilterPolicy: '{"kind":["digest"]}' },
      }),
    );
    return {
      cloud,
      app,
      sandbox,
      settingsFile,
      eventsQueue,
      digestsQueue,
      template,
      clients,
      outputs,
      invoke,
      receive,
      untilScheduled,
      writeSettings,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @throws with the output of the program if it fails */
export async function must(result: Promise<ProgramResult>): Promise<string> {
  const { code, output } = await result;
  if (code !== 0) throw new Error(`exit code ${code}:\n${output}`);
  return output;
}
