import { type AlertSink, PEOPLE } from '../guard/ports.ts';
import { toDigest } from '../messages/digest.ts';
import type { MessageContext } from '../messages/wording.ts';

/** Shows the digest on the terminal as a mail. Programs use `--json`. */
export function createTerminalAlertSink(
  write: (text: string) => void,
  runbook: MessageContext['runbook'] = null,
): AlertSink {
  return {
    audiences: [PEOPLE],
    async publish(project, events, audience): Promise<ReadonlySet<string>> {
      if (audience === PEOPLE && events.length > 0) {
        const digest = toDigest(events, { project, place: null, stack: null, runbook, panel: null });
        const body = digest.text.trimEnd().split('\n');
        const lines = [`Subject: ${digest.subject}`, '', ...body].map((line) => `│ ${line}`.trimEnd());
        write(`${['┌─ mail', ...lines, '└─'].join('\n')}\n`);
      }
      return new Set(events.map(({ id }) => id));
    },
  };
}
