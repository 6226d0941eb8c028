/** The forms of single values of the settings; nothing here needs the schema. */

/** Minutes between two passes, or null when the expression is not a rate. */
export function scheduleMinutes(expression: string): number | null {
  const parts = /^rate\(([1-9]\d{0,3}) (minute|hour|day)(s?)\)$/.exec(expression);
  if (parts === null) return null;
  const [, count = '', unit, many] = parts;
  // AWS refuses rate(1 minutes) and rate(5 minute).
  if ((Number(count) === 1) !== (many === '')) return null;
  return Number(count) * (unit === 'minute' ? 1 : unit === 'hour' ? 60 : 24 * 60);
}

/** Of a secret in Secrets Manager. */
export const SECRET_NAME = /^[\w/+=.@-]{1,512}$/;

export const PROJECT_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** The page as it lies beside the code, for those who have it. */
export const RUNBOOK = 'docs/runbook.md';

/** Whether it is a channel of Slack or Microsoft Teams. */
export function isChat(entry: { readonly slack?: unknown; readonly teams?: unknown }): boolean {
  return entry.slack !== undefined || entry.teams !== undefined;
}
