import { Annotations as Acknowledge } from 'aws-cdk-lib';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { addGuard, createUserStack } from './user-app.ts';

/** Settings that can have no effect, at synthesis: warnings that a person can acknowledge. */

const NEVER_PAUSES = 'integration-guard:never-pauses:projects.production.policy.blastRadius';

function warningsOf(policy: Record<string, unknown>, ...acknowledged: readonly string[]): readonly string[] {
  const stack = createUserStack();
  const guard = addGuard(stack, {
    projects: { production: { secretName: 'x', policy } },
    alerts: { subscriptions: [{ email: 'ops@example.com' }] },
  });
  for (const id of acknowledged) Acknowledge.of(guard).acknowledgeWarning(id);
  return Annotations.fromStack(stack)
    .findWarning('*', Match.anyValue())
    .map(({ entry }) => String(entry.data));
}

describe('settings that can have no effect', () => {
  it('are warnings of the synthesis, each with an ID', () => {
    expect(warningsOf({ blastRadius: { percent: 0, floor: 0 } })).toEqual([
      `projects.production.policy.blastRadius lets no pass pause an integration by the limits: "floor" and "percent" are 0. Set "floor" to at least 1, or "mode" to "observe" if the guard must not pause. [ack: ${NEVER_PAUSES}]`,
    ]);
  });

  it('are not reported once they are acknowledged', () => {
    expect(warningsOf({ blastRadius: { percent: 0, floor: 0 } }, NEVER_PAUSES)).toEqual([]);
  });

  it('do not exist in the defaults', () => {
    expect(warningsOf({})).toEqual([]);
  });
});
