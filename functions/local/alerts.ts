import type { AlertSink } from '../guard/ports.ts';
import { RUNBOOK } from '../guard/settings/types.ts';
import { type DigestContext, toDigest } from '../messages/digest.ts';

/** Shows people's digest on the terminal, as its reader would get it by mail. Machines have `--json`. */
export function createTerminalAlertSink(
  write: (text: string) => void,
  runbook: DigestContext['runbook'] = RUNBOOK,
): AlertSink {
  return {
    async publish(project, events, audience = 'everybody'): Promise<ReadonlySet<string>> {
      if (audience === 'everybody' && events.length > 0) {
        const digest = toDigest(events, { project, stack: null, runbook, panel: null });
        const body = digest.text.trimEnd().split('\n');
        const lines = [`Subject: ${digest.subject}`, '', ...body].map((line) => `│ ${line}`.trimEnd());
        write(`${['┌─ mail', ...lines, '└─'].join('\n')}\n`);
      }
      return new Set(events.map(({ id }) => id));
    },
  };
}
