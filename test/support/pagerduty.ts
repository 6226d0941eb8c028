import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import * as z from 'zod';
import { close, listen } from './loopback.ts';

/**
 * A stand-in of PagerDuty's Events API v2, after "Events API v2 Overview" and "Send an Alert Event" of its developer
 * documentation: statuses, limits of fields, and what happens to alerts of one `dedup_key`.
 */

export interface PagerDuty {
  /** The address of `POST /v2/enqueue`. */
  readonly url: string;
  /** Every incident so far, in the order in which they were opened. */
  readonly incidents: readonly PagerDutyIncident[];
  /** The events that were accepted, in order. */
  readonly accepted: readonly PagerDutyRequest[];
  /** The statuses that were answered, in order. */
  readonly statuses: readonly number[];
  /** A responder acknowledges or resolves an incident by hand. */
  act(dedupKey: string, action: 'acknowledge' | 'resolve'): void;
  /** Answers the next requests with these statuses, without reading them. */
  failNext(...statuses: readonly (429 | 500)[]): void;
  /** Accepts only these routing keys; null: any. */
  setRoutingKeys(keys: readonly string[] | null): void;
  stop(): Promise<void>;
}

export interface PagerDutyIncident {
  readonly dedupKey: string;
  state: 'triggered' | 'acknowledged' | 'resolved';
  /** The first event, which opened it, and each further trigger until it was resolved. */
  triggers: number;
  readonly summary: string;
  readonly severity: string;
}

const MAX_BYTES = 512 * 1_024;

const payload = z.object({
  summary: z.string('is missing or blank').min(1, 'is missing or blank').max(1_024, 'is too long'),
  source: z.string('is missing or blank').min(1, 'is missing or blank'),
  severity: z.enum(['critical', 'error', 'warning', 'info'], "must be one of: 'critical', 'warning', 'error', 'info'"),
  timestamp: z.iso.datetime('is not a timestamp').optional(),
  component: z.string().optional(),
  group: z.string().optional(),
  class: z.string().optional(),
  custom_details: z.record(z.string(), z.unknown()).optional(),
});

const common = {
  routing_key: z.string('is missing or blank').length(32, 'is not 32 characters long'),
  links: z.array(z.object({ href: z.url(), text: z.string().optional() })).optional(),
  client: z.string().optional(),
  client_url: z.url().optional(),
};

const dedupKey = z.string('is missing or blank').min(1, 'is missing or blank').max(255, 'is too long');

const request = z.discriminatedUnion(
  'event_action',
  [
    z.object({ ...common, event_action: z.literal('trigger'), dedup_key: dedupKey.optional(), payload }),
    // The payload of an event that does not trigger is not read.
    z.object({ ...common, event_action: z.literal('acknowledge'), dedup_key: dedupKey }),
    z.object({ ...common, event_action: z.literal('resolve'), dedup_key: dedupKey }),
  ],
  "must be one of: 'trigger', 'acknowledge', 'resolve'",
);

export type PagerDutyRequest = z.output<typeof request>;

export async function startPagerDuty(): Promise<PagerDuty> {
  const incidents: PagerDutyIncident[] = [];
  const accepted: PagerDutyRequest[] = [];
  const statuses: number[] = [];
  const failures: number[] = [];
  let routingKeys: readonly string[] | null = null;

  const openIncident = (key: string) => incidents.find((each) => each.dedupKey === key && each.state !== 'resolved');

  const apply = (key: string, event: PagerDutyRequest) => {
    const incident = openIncident(key);
    switch (event.event_action) {
      case 'trigger': {
        if (incident !== undefined) incident.triggers += 1;
        // A resolved incident stays resolved: the trigger opens another one.
        else {
          const { summary, severity } = event.payload;
          incidents.push({ dedupKey: key, state: 'triggered', triggers: 1, summary, severity });
        }
        return;
      }
      // Both are dropped when no incident with this key is open.
      case 'acknowledge':
        if (incident !== undefined) incident.state = 'acknowledged';
        return;
      case 'resolve':
        if (incident !== undefined) incident.state = 'resolved';
    }
  };

  const answerTo = (method: string | undefined, path: string | undefined, body: string): [number, object] => {
    const failure = failures.shift();
    if (failure !== undefined) return [failure, {}];
    if (method !== 'POST' || path !== '/v2/enqueue') return [404, {}];
    if (Buffer.byteLength(body) > MAX_BYTES) return [413, {}];
    const parsed = request.safeParse(parseJson(body));
    if (!parsed.success)
      return invalid(parsed.error.issues.map(({ path: place, message }) => `'${place.join('.')}' ${message}`));
    const event = parsed.data;
    if (routingKeys?.includes(event.routing_key) === false) return invalid(["'routing_key' is invalid"]);
    const key = event.dedup_key ?? randomUUID();
    accepted.push(event);
    apply(key, event);
    return [202, { status: 'success', message: 'Event processed', dedup_key: key }];
  };

  const server = createServer(async (incoming, response) => {
    const [status, body] = answerTo(incoming.method, incoming.url, await text(incoming));
    statuses.push(status);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  return {
    url: `${await listen(server)}/v2/enqueue`,
    incidents,
    accepted,
    statuses,
    act: (key, action) => {
      const incident = openIncident(key);
      if (incident !== undefined) incident.state = action === 'resolve' ? 'resolved' : 'acknowledged';
    },
    failNext: (...next) => void failures.push(...next),
    setRoutingKeys: (keys) => {
      routingKeys = keys;
    },
    stop: () => close(server),
  };
}

function invalid(errors: readonly string[]): [number, object] {
  return [400, { status: 'invalid event', message: 'Event object is invalid', errors }];
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return null;
  }
}
