import { type GuardEvent, type Severity, bySeverity } from '../guard/model/event.ts';
import { plural, shorten } from '../guard/text/sanitize.ts';
import { describeMoment } from '../guard/text/time.ts';
import {
  advice,
  type DigestContext,
  EXPLAINED_BY_LAST_ERROR,
  meaning,
  runbookSection,
  shortName,
  summarize,
  VERB,
} from './digest.ts';

/**
 * A custom notification of Amazon Q Developer in chat applications (Slack, Microsoft Teams), in the schema of its user
 * guide, "Custom notifications". What is not in that schema is dropped without a word.
 */
export interface ChatNotification {
  readonly version: '1.0';
  readonly source: 'custom';
  readonly id: string;
  readonly content: {
    readonly textType: 'client-markdown';
    readonly title: string;
    readonly description: string;
    readonly nextSteps: readonly string[];
    readonly keywords: readonly string[];
  };
  readonly metadata: {
    /** Notifications of one thread are shown as one thread. */
    readonly threadId: string;
    readonly summary: string;
    readonly eventType: string;
    readonly enableCustomActions: false;
  };
}

const MOST_DETAILS = 8;
const TITLE_LENGTH = 200;

const EMOJI = {
  critical: ':rotating_light:',
  warning: ':warning:',
  info: ':information_source:',
} as const satisfies Record<Severity, string>;

/**
 * One message about everything a pass has to tell, the worst first.
 * @throws when there are no events: there is nothing to tell then
 */
export function toChatNotification(events: readonly GuardEvent[], context: DigestContext): ChatNotification {
  const sorted = [...events].sort(bySeverity);
  const [worst] = sorted;
  if (worst === undefined) throw new Error('a notification needs at least one event');
  const shown = sorted.slice(0, MOST_DETAILS);
  const rest = sorted.length - shown.length;
  const summary = plain(summarize(sorted));
  return {
    version: '1.0',
    source: 'custom',
    id: worst.id,
    content: {
      textType: 'client-markdown',
      title: shorten(`${EMOJI[worst.severity]} ${context.project}: ${summary}`, TITLE_LENGTH),
      description: [
        ...shown.map((event) => describe(event)),
        ...(rest > 0 ? [`… and ${plural(rest, 'more event')} of this pass.`] : []),
      ].join('\n\n'),
      nextSteps: [
        ...shown.flatMap((event) => stepOf(event, context)),
        ...(context.panel === null ? [] : [`Look and undo on the panel: ${context.panel}`]),
      ],
      keywords: [context.project, worst.severity],
    },
    metadata: {
      threadId: sorted.length === 1 ? `${context.project}/${worst.record?.id ?? 'guard'}/${worst.episode}` : worst.id,
      summary: shorten(summary, TITLE_LENGTH),
      eventType: worst.type,
      enableCustomActions: false,
    },
  };

  function describe(event: GuardEvent): string {
    const { record } = event;
    const name = record === null ? '' : `: ${plain(shortName(record))} ${quoted(record.title)} (${record.id})`;
    const lines = [`*${VERB[event.type].toUpperCase()}*${name}`, `Why: ${plain(event.reason)}`];
    if (record?.last_error_message && EXPLAINED_BY_LAST_ERROR.has(event.type)) {
      const at = record.last_error_at === null ? '' : ` (${describeMoment(record.last_error_at, event.time)})`;
      lines.push(`Error: ${quoted(record.last_error_message)}${at}`);
    }
    lines.push(`Means: ${plain(meaning(event))}`, `Help: ${context.runbook}#${runbookSection(event.type)}`);
    return lines.join('\n');
  }
}

/** What to do, unless it is nothing. */
function stepOf(event: GuardEvent, context: DigestContext): readonly string[] {
  const todo = advice(event, context);
  return todo === 'nothing.' ? [] : [`${nameOf(event)}${asSteps(todo)}`];
}

function nameOf({ record }: GuardEvent): string {
  return record === null ? '' : `${plain(shortName(record))}: `;
}

/** Commands stand out, and are copied whole. */
function asSteps(text: string): string {
  return text.replace(/npx guard .*?(?=\.(?: |$)|$)/g, '`$&`');
}

/** No markup, no mention of anybody, no link: neither Slack's (`<!here>`, `<url|text>`) nor Teams' (`@name`, `[text](url)`). */
function plain(text: string): string {
  return text
    .replace(/</g, '‹')
    .replace(/>/g, '›')
    .replace(/@/g, '＠')
    .replace(/[[\]]/g, (bracket) => (bracket === '[' ? '⟦' : '⟧'))
    .replace(/[*_~`]/g, "'");
}

/** Somebody else's text, shown as code. */
function quoted(text: string): string {
  return `\`${plain(text)}\``;
}
