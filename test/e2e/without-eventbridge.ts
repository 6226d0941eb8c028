/**
 * The emulator's CloudFormation refuses a template with connections and API destinations, and its pipes read only streams of
 * DynamoDB. A test deployment leaves out exactly these resources. Queues, redrive policies, alarms, roles and permissions stay.
 * `test/support/pipe.ts` stands in for what is left out, and test/infra/incident-tools.test.ts checks its properties.
 */

const LEFT_OUT: ReadonlySet<unknown> = new Set([
  'AWS::Events::Connection',
  'AWS::Events::ApiDestination',
  'AWS::Pipes::Pipe',
]);

interface Resource {
  readonly Type: string;
  readonly DependsOn?: unknown;
}

export interface DeployableTemplate {
  readonly Resources: Readonly<Record<string, Resource>>;
}

/** The template without these resources. In place of their ARNs it has ARNs of resources that do not exist. */
export function withoutEventBridge<T extends DeployableTemplate>(template: T): T {
  const kept = Object.entries(template.Resources).filter(([, { Type }]) => !LEFT_OUT.has(Type));
  const isLeftOut = (id: unknown) => LEFT_OUT.has(template.Resources[String(id)]?.Type);
  const replace = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(replace);
    if (typeof value !== 'object' || value === null) return value;
    const attribute = (value as { readonly 'Fn::GetAtt'?: readonly unknown[] })['Fn::GetAtt'];
    if (attribute !== undefined && isLeftOut(attribute[0]))
      return `arn:aws:events:us-east-1:000000000000:api-destination/${String(attribute[0])}/0`;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, replace(inner)]));
  };
  return replace({ ...template, Resources: Object.fromEntries(kept) }) as T;
}
