import { readFileSync } from 'node:fs';
import { METRIC } from '../../functions/aws/metric-names.ts';
import { type Callable, type Doc, type Exported, type Property, readApi } from './api-model.ts';

/** docs/api.md: everything that a CDK app can import, from the docstrings of the sources. `npm run docs` writes it. */

export const API_PAGE = 'docs/api.md';

const EXAMPLES = {
  'listed-projects': 'Listed projects, and one address for alerts:',
  'cdk-objects':
    'CDK objects: an existing secret, a key, a queue, a role that may use the control panel, and your own alarm:',
  fleet: 'A fleet, in a separate stack:',
} as const;

/** These come first, in this order. The rest follows in the order of the index. */
const FIRST = [
  'IntegrationGuard',
  'IntegrationGuardStack',
  'IntegrationGuardProps',
  'IntegrationGuardStackProps',
  'ProjectProps',
  'FleetProps',
  'FleetPolicyProps',
  'AlertsProps',
  'SubscriptionProps',
  'SlackChannelProps',
  'TeamsChannelProps',
  'PolicyProps',
  'LowTrafficProps',
  'BlastRadiusProps',
  'ProviderOutageProps',
  'ManualRecoveryProps',
  'ProbeRecoveryProps',
  'OverrideProps',
  'MatchProps',
];

type Kind = Exported['declaration']['kind'];

const CHAPTERS: readonly (readonly [title: string, kinds: readonly Kind[]])[] = [
  ['Classes', ['class']],
  ['Functions', ['function']],
  ['Interfaces', ['interface']],
  ['Types and values', ['type', 'value']],
];

export function apiPage(): string {
  const rank = ({ name }: Exported) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  const api = readApi().toSorted((left, right) => rank(left) - rank(right));
  const link = linker(api.map(({ name }) => name));
  const chapters = CHAPTERS.map(([title, kinds]) => {
    const sections = api.filter(({ declaration }) => kinds.includes(declaration.kind));
    return [`## ${title}`, ...sections.map((each) => section(each, link))].join('\n\n');
  });
  return `<!-- Generated from the docstrings of infra/ by npm run docs -->

# The construct

This page lists everything that \`integration-guard\` exports to a CDK app. The construct checks properties like a settings file. Each mistake is
one sentence that begins with the property's path.

${Object.entries(EXAMPLES)
  .map(([name, says]) => `${says}\n\n\`\`\`ts\n${example(name)}\n\`\`\``)
  .join('\n\n')}

${chapters.join('\n\n')}
`;
}

/** The source of an example, with the import that a user of the package writes. */
function example(name: string): string {
  const source = readFileSync(`test/docs/api-examples/${name}.ts`, 'utf8').trim();
  return source.replace("'../../../infra/index.ts'", "'integration-guard'");
}

type Link = (type: string) => string;

function section({ name, doc, declaration }: Exported, link: Link): string {
  const parts = [`### ${name}`, ...about(doc)];
  switch (declaration.kind) {
    case 'interface':
      if (declaration.parents.length > 0)
        parts.push(`All properties of ${declaration.parents.map(link).join(' and ')}.`);
      if (declaration.properties.length > 0) parts.push(table(declaration.properties, link));
      break;
    case 'class':
      if (declaration.create !== null) parts.push(...callable(declaration.create, `new ${name}`, link));
      if (declaration.properties.length > 0) parts.push(attributes(declaration.properties, link));
      parts.push(
        ...declaration.methods.flatMap((method) => [`#### ${method.name}`, ...callable(method, method.name, link)]),
      );
      break;
    case 'function':
      parts.push(signature(declaration.of, name, link), ...parameters(declaration.of));
      break;
    case 'type':
      parts.push(name === 'GuardMetric' ? Object.keys(METRIC).map(code).join(', ') : link(declaration.type));
      break;
    case 'value':
      break;
  }
  return parts.join('\n\n');
}

function about(doc: Doc | null): readonly string[] {
  if (doc === null) return [];
  return [
    doc.text,
    ...(doc.example === null ? [] : [`\`\`\`ts\n${doc.example}\n\`\`\``]),
    ...(doc.returns === null ? [] : [`Returns ${lower(doc.returns)}.`]),
    ...(doc.throws === null ? [] : [`Throws ${doc.throws}.`]),
  ].filter((part) => part !== '');
}

function callable(of: Callable, called: string, link: Link): readonly string[] {
  return [signature(of, called, link), ...about(of.doc), ...parameters(of)];
}

function signature({ name, params, returns }: Callable, called: string, link: Link): string {
  const list = params.map((each) => `${each.name}${each.isOptional ? '?' : ''}: ${link(each.type)}`).join(', ');
  return `<code>${called}</code>(${list})${name === 'constructor' ? '' : `: ${link(returns)}`}`;
}

function parameters({ doc }: Callable): readonly string[] {
  const says = [...(doc?.params ?? [])];
  return says.length === 0 ? [] : [says.map(([name, text]) => `- \`${name}\`: ${text}`).join('\n')];
}

function table(properties: readonly Property[], link: Link): string {
  const rows = properties.map(({ name, type, isOptional, doc }) => {
    const otherwise = isOptional ? defaultOf(doc?.default ?? '') : '*required*';
    return `| \`${name}\` | ${link(type)} | ${otherwise} | ${cell(doc?.text ?? '')} |`;
  });
  return ['| property | type | default | |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

/** The table of an object's attributes. */
function attributes(properties: readonly Property[], link: Link): string {
  const rows = properties.map(({ name, type, doc }) => `| \`${name}\` | ${link(type)} | ${cell(doc?.text ?? '')} |`);
  return ['| attribute | type | |', '| --- | --- | --- |', ...rows].join('\n');
}

/** A default that is a text begins with "- ", a value does not. */
function defaultOf(text: string): string {
  return text.startsWith('- ') ? cell(text.slice(2)) : code(text);
}

function cell(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').replaceAll('|', '\\|');
}

function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``;
}

function lower(text: string): string {
  return text.replace(/\.$/, '');
}

/** Renders a type, with links from exported names to their sections. */
function linker(names: readonly string[]): Link {
  const escapeHtml = (text: string) =>
    text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('|', '&#124;');
  const known = new RegExp(`\\b(?:${names.join('|')})\\b`, 'g');
  return (type) =>
    `<code>${escapeHtml(type).replace(known, (name) => `<a href="#${name.toLowerCase()}">${name}</a>`)}</code>`;
}
