import { DeleteMessageCommand, type Message, ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';

/**
 * A stand-in of an EventBridge pipe from an SQS queue to an API destination, driven by the resources of a template
 * ("Amazon EventBridge Pipes input transformation", "API destinations", "Connections" of the EventBridge user guide). No
 * emulator in use here runs these resources. It knows only what the guard's templates use and throws on anything else.
 */

interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
}

export interface PipeTemplate {
  readonly Resources: Readonly<Record<string, Resource>>;
}

interface PipeProperties {
  readonly Source: unknown;
  readonly SourceParameters: { readonly SqsQueueParameters: { readonly BatchSize: number } };
  readonly Target: unknown;
  readonly TargetParameters: { readonly InputTemplate: string };
}

interface DestinationProperties {
  readonly ConnectionArn: unknown;
  readonly HttpMethod: string;
  readonly InvocationEndpoint: string;
}

interface Parameter {
  readonly Key: string;
  readonly Value: string;
}

interface ConnectionProperties {
  readonly AuthorizationType: string;
  readonly AuthParameters: {
    readonly ApiKeyAuthParameters: { readonly ApiKeyName: string; readonly ApiKeyValue: string };
    readonly InvocationHttpParameters?: {
      readonly BodyParameters?: readonly Parameter[];
      readonly HeaderParameters?: readonly Parameter[];
      readonly QueryStringParameters?: readonly Parameter[];
    };
  };
}

export interface Pipe {
  /** The logical ID of the queue that it reads. */
  readonly queueId: string;
  /** The address in the template. */
  readonly endpoint: string;
  /**
   * Receives one message and posts it. It deletes the message after a 2xx, and leaves it to its visibility timeout after anything
   * else.
   * @returns null when no message is visible
   */
  poll(): Promise<'delivered' | 'refused' | null>;
}

export interface PipeOptions {
  readonly client: SQSClient;
  /** Finds the queue by its logical ID. */
  readonly queueUrl: string;
  /** Values of secrets by name, for dynamic references. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Where the requests go instead of the address in the template. */
  readonly endpoint: string;
}

/** @param pattern selects the pipe by its logical ID */
export function createPipe(template: PipeTemplate, pattern: RegExp, options: PipeOptions): Pipe {
  const { client, queueUrl, secrets, endpoint } = options;
  const [[, pipe]] = find(template, 'AWS::Pipes::Pipe', pattern);
  const { Source, SourceParameters, Target, TargetParameters } = pipe.Properties as unknown as PipeProperties;
  if (SourceParameters.SqsQueueParameters.BatchSize !== 1) throw new Error('an API destination takes no batches');
  const destination = referred(template, Target, 'AWS::Events::ApiDestination') as unknown as DestinationProperties;
  const connection = referred(
    template,
    destination.ConnectionArn,
    'AWS::Events::Connection',
  ) as unknown as ConnectionProperties;
  if (connection.AuthorizationType !== 'API_KEY') throw new Error(`no stand-in for ${connection.AuthorizationType}`);
  const { ApiKeyAuthParameters: apiKey, InvocationHttpParameters: more = {} } = connection.AuthParameters;
  if (more.QueryStringParameters !== undefined) throw new Error('no stand-in for query parameters');
  const plainValue = (value: string) => resolveSecret(value, secrets);

  const post = async (message: Message): Promise<boolean> => {
    const input = transform(TargetParameters.InputTemplate, toEvent(message));
    const body = {
      ...input,
      ...Object.fromEntries((more.BodyParameters ?? []).map((each) => [each.Key, plainValue(each.Value)])),
    };
    const headers = new Headers({
      'User-Agent': 'Amazon/EventBridge/ApiDestinations',
      'Content-Type': 'application/json; charset=utf-8',
    });
    for (const { Key, Value } of more.HeaderParameters ?? []) headers.set(Key, plainValue(Value));
    headers.set(apiKey.ApiKeyName, plainValue(apiKey.ApiKeyValue));
    const response = await fetch(endpoint, {
      method: destination.HttpMethod,
      headers,
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(5_000),
    }).catch(() => null);
    return response?.ok === true;
  };

  return {
    queueId: idOf(Source),
    endpoint: destination.InvocationEndpoint,
    async poll() {
      const { Messages = [] } = await client.send(
        new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 1, MessageSystemAttributeNames: ['All'] }),
      );
      const [message] = Messages;
      if (message === undefined) return null;
      if (!(await post(message))) return 'refused';
      await client.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: message.ReceiptHandle }));
      return 'delivered';
    },
  };
}

/** The event of a pipe with an SQS source. A body that is JSON is parsed implicitly. */
function toEvent({ MessageId, Body = '', Attributes }: Message): object {
  return { messageId: MessageId, attributes: Attributes, body: parseJson(Body) ?? Body };
}

/**
 * The input transformer, for JSON objects with paths as values. A path that leads nowhere makes the message undeliverable,
 * and so does a template that is a path alone, because EventBridge would then send an object without its quotes.
 */
function transform(template: string, event: object): Readonly<Record<string, unknown>> {
  if (!template.trimStart().startsWith('{')) throw new Error(`the template is no JSON object: ${template}`);
  const text = template.replace(/<\$\.([\w.-]+)>/g, (_, path: string) => {
    const value = path
      .split('.')
      .reduce<unknown>((object, name) => (object as Readonly<Record<string, unknown>> | undefined)?.[name], event);
    if (value === undefined || value === null) throw new Error(`nothing at $.${path}`);
    return JSON.stringify(value);
  });
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
}

function resolveSecret(value: string, secrets: PipeOptions['secrets']): string {
  return value.replace(/\{\{resolve:secretsmanager:([^:}]+):SecretString:::\}\}/g, (_, name: string) => {
    const secret = secrets[name];
    if (secret === undefined) throw new Error(`no secret ${name}`);
    return secret;
  });
}

function find(template: PipeTemplate, type: string, pattern: RegExp): [[string, Resource], ...[string, Resource][]] {
  const found = Object.entries(template.Resources).filter(([id, { Type }]) => Type === type && pattern.test(id));
  const [first, ...others] = found;
  if (first === undefined || others.length > 0) throw new Error(`${found.length} resources ${type} match ${pattern}`);
  return [first];
}

function referred(template: PipeTemplate, reference: unknown, type: string): Resource['Properties'] {
  const resource = template.Resources[idOf(reference)];
  if (resource?.Type !== type) throw new Error(`${idOf(reference)} is no ${type}`);
  return resource.Properties;
}

/** The logical ID in `{ "Fn::GetAtt": [ID, "Arn"] }`. */
function idOf(reference: unknown): string {
  return String((reference as { readonly 'Fn::GetAtt'?: readonly unknown[] })['Fn::GetAtt']?.[0]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
