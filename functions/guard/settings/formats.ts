/** The formats of single values in the settings. */

/** The minutes between two passes; null when the expression is not a rate. */
export function scheduleMinutes(expression: string): number | null {
  const parts = /^rate\(([1-9]\d{0,3}) (minute|hour|day)(s?)\)$/.exec(expression);
  if (parts === null) return null;
  const [, count = '', unit, many] = parts;
  // AWS refuses rate(1 minutes) and rate(5 minute).
  if ((Number(count) === 1) !== (many === '')) return null;
  return Number(count) * (unit === 'minute' ? 1 : unit === 'hour' ? 60 : 24 * 60);
}

/** The name of a secret in Secrets Manager. */
export const SECRET_NAME = /^[\w/+=.@-]{1,512}$/;

/** The name of a secret, or its full ARN. */
export const SECRET_ID =
  /^(?:[\w/+=.@-]{1,512}|arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]{1,519})$/;
/** The name of a field in the JSON of a secret. It becomes part of a command. */
export const SECRET_FIELD = /^[A-Za-z0-9][\w/+=.@-]{0,127}$/;

export const PROJECT_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

export const TIME_OF_DAY = /^(?:[01]\d|2[0-3]):[0-5]\d$/;

/** The HTTPS endpoint of a subscription. */
export const HTTPS_ENDPOINT = /^https:\/\/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?(?:\/[!-~]*)?$/i;

/** An address to which a "#" and a section can be added. */
export const RUNBOOK_URL = /^https:\/\/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?(?:\/[^\s#\p{C}"'`<>\\]*)?$/iu;

/**
 * The endpoint of an API destination, in which "*" would be a parameter. CloudFormation accepts 2,048 characters and fewer kinds of
 * them than a URL may have.
 */
export const WEBHOOK_URL =
  /^(?=.{1,2048}$)https:\/\/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?(?:[/?][\w.~!'();/?:@&=+$,%-]*)?$/i;

/** A token of HTTP. */
export const HEADER_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/;

/** Whether the subscription is an incident tool, which gets only the events that open and close incidents. */
export function isIncidentTool(entry: { readonly pagerduty?: unknown; readonly webhook?: unknown }): boolean {
  return entry.pagerduty !== undefined || entry.webhook !== undefined;
}

/** Whether the subscription is a Slack or Microsoft Teams channel. */
export function isChat(entry: { readonly slack?: unknown; readonly teams?: unknown }): boolean {
  return entry.slack !== undefined || entry.teams !== undefined;
}

/**
 * Whether an address has only https (http only for loopback), a host, and optionally a port and a path. It checks the text itself,
 * because a URL parser changes "https:/\\host", "0x7f.1" and "/v4/%2e%2e". The parser must also agree, so that the key goes to the
 * host that people read here.
 */
export function isPlainAddress(text: string): boolean {
  const parts = PLAIN_ADDRESS.exec(text);
  if (parts === null || text.length > 2_000 || !URL.canParse(text)) return false;
  const [, scheme = '', host = '', port, path = ''] = parts;
  const { protocol, hostname, pathname } = new URL(text);
  const isSame =
    protocol === `${scheme.toLowerCase()}:` && hostname === host.toLowerCase() && pathname === (path || '/');
  return isSame && Number(port ?? 443) <= 65_535 && (protocol === 'https:' || isLoopback(hostname));
}

/** Scheme, host, port and path. No path segment begins with a dot, which excludes "." and "..". */
const PLAIN_ADDRESS =
  /^(https?):\/\/((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?|\[::1\])(?::([1-9]\d{0,4}))?((?:\/[\w~-][\w.~-]*)*\/?)$/i;

/** The key may travel without TLS only to loopback: nothing leaves the machine. */
function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}
