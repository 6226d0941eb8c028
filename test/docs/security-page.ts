import { CfnElement, type Stack } from 'aws-cdk-lib';
import { createStack, RICH_SETTINGS } from '../infra/synthesize.ts';
import { KINDS } from '../security/kinds.ts';

/** Generates the tables of docs/security.md, from the stack's template and from the kinds of attack. */

export const SECURITY_PAGE = 'docs/security.md';

const PARTS = {
  roles: { from: 'the templates', make: rolesTable },
  attacks: { from: 'test/security/kinds.ts', make: attacksTable },
} as const;

/**
 * The page with its generated tables up to date. The figures of the attacks stay.
 * @throws when the page lacks a mark
 */
export function securityPage(page: string): string {
  return Object.entries(PARTS).reduce((text, [name, { from, make }]) => {
    const begin = `<!-- ${name}: generated from ${from} by npm run docs -->`;
    const end = `<!-- end of ${name} -->`;
    const [before, rest] = text.split(begin);
    const [old, after] = rest?.split(end) ?? [];
    if (before === undefined || old === undefined || after === undefined)
      throw new Error(`${SECURITY_PAGE} lacks its mark: ${begin} … ${end}`);
    return `${before}${begin}\n\n${make(old)}\n\n${end}${after}`;
  }, page);
}

/** @param old the present table, with the figures of the last full run */
function attacksTable(old: string): string {
  const rows = KINDS.map(({ name, promise }) => {
    const figures = new RegExp(`^\\| ${name} \\|.*\\| ([^|]*) \\| ([^|]*) \\|$`, 'm').exec(old);
    return `| ${name} | ${promise} | ${figures?.[1] ?? '–'} | ${figures?.[2] ?? '–'} |`;
  });
  return ['| kind | promise | inputs | violations |', '| --- | --- | ---: | ---: |', ...rows].join('\n');
}

interface Statement {
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

interface Resource {
  readonly Type: string;
  readonly Properties: {
    readonly PolicyDocument?: { readonly Statement: readonly Statement[] };
    readonly Policies?: readonly { readonly PolicyDocument: { readonly Statement: readonly Statement[] } }[];
    readonly Roles?: readonly unknown[];
    readonly ManagedPolicyArns?: readonly unknown[];
  };
}

/** The permissions of every role, in a stack with every kind of project and subscription and a fleet. */
function rolesTable(): string {
  const { app, stack } = createStack({ ...RICH_SETTINGS, fleet: { secretNamePrefix: 'qonversion/' } });
  const names = namesOf(stack);
  const resources = app.synth().getStackByName('IntegrationGuard').template.Resources as Record<string, Resource>;
  const rows = Object.entries(resources)
    .filter(([, { Type }]) => Type === 'AWS::IAM::Role')
    .flatMap(([id, role]) => {
      if ((role.Properties.ManagedPolicyArns ?? []).length > 0) throw new Error(`${id} has a managed policy`);
      const policies = Object.values(resources).filter(
        ({ Type, Properties }) =>
          Type === 'AWS::IAM::Policy' && JSON.stringify(Properties.Roles ?? []).includes(`"${id}"`),
      );
      const statements = [
        ...policies.flatMap(({ Properties }) => Properties.PolicyDocument?.Statement ?? []),
        ...(role.Properties.Policies ?? []).flatMap(({ PolicyDocument }) => PolicyDocument.Statement),
      ];
      const name = names.get(id) ?? id;
      if (statements.length === 0) return [`| ${name} | nothing | | |`];
      return statements.map(({ Action, Resource: target, Condition }, index) =>
        [
          '',
          index === 0 ? name : '',
          list(Action).map(code).join(', '),
          list(target)
            .map((one) => code(show(one, names)))
            .join(', '),
          Object.values(Condition ?? {})
            .flatMap((keys) => Object.keys(keys))
            .map(code)
            .join(', '),
          '',
        ]
          .join(' | ')
          .trim(),
      );
    });
  return ['| role | actions | on | only if |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

/** The construct's path without the stack, by logical ID. */
function namesOf(stack: Stack): ReadonlyMap<string, string> {
  const elements = stack.node.findAll().filter((node) => CfnElement.isCfnElement(node));
  return new Map(
    elements.map((element) => [
      String(stack.resolve(element.logicalId)),
      element.node.path.replace(/^[^/]+\//, '').replace(/\/Resource$/, ''),
    ]),
  );
}

/** An ARN or a part of one, with the names of constructs in place of CloudFormation's references. */
function show(value: unknown, names: ReadonlyMap<string, string>): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return String(value);
  const [[operation, operand] = ['', null]] = Object.entries(value);
  const nameOf = (id: string) => `<${names.get(id) ?? id.replace(/^AWS::/, '').toLowerCase()}>`;
  if (operation === 'Ref') return nameOf(String(operand));
  if (operation === 'Fn::GetAtt' && Array.isArray(operand)) return nameOf(String(operand[0]));
  if (operation === 'Fn::Join' && Array.isArray(operand))
    return (operand[1] as unknown[]).map((part) => show(part, names)).join(String(operand[0]));
  return JSON.stringify(value);
}

function list<Item>(value: Item | readonly Item[]): readonly Item[] {
  return Array.isArray(value) ? (value as readonly Item[]) : [value as Item];
}

function code(text: string): string {
  return `\`${text}\``;
}
