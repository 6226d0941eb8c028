import { NoSuchProjectError } from '../../functions/aws/fleet.ts';
import { type ActDoor, answerAct, answerLook } from '../../functions/panel/panel.ts';
import type { Harness } from '../support/harness.ts';
import { silentLog } from '../support/memory-ports.ts';

/** The panel's two functions over a harness, with ARNs as deployed. */

export const LOOK_ARN = 'arn:aws:lambda:eu-west-1:123456789012:function:guard-panel';
export const ACT_ARN = 'arn:aws:lambda:eu-west-1:123456789012:function:guard-act';

export interface PanelDoors {
  look(event: unknown): Promise<string>;
  act(event: unknown): Promise<string>;
  /** Passes that the panel has run. */
  readonly passes: () => number;
}

/** @param ofFleet whether the project is one of a fleet, and not listed */
export function openDoors({ ports, project }: Harness, ofFleet = false): PanelDoors {
  let passes = 0;
  const door: ActDoor = {
    projects: ofFleet ? [] : [project.name],
    fleet: ofFleet,
    log: silentLog,
    endpoints: { look: LOOK_ARN, act: ACT_ARN },
    open: async (name) => {
      if (name !== project.name) throw new NoSuchProjectError(`no project "${name}"`);
      return { project, ports };
    },
    onPass: async () => {
      passes += 1;
    },
  };
  return {
    look: (event) => answerLook(event, door),
    act: (event) => answerAct(event, { ...door, endpoints: { look: ACT_ARN, act: ACT_ARN } }),
    passes: () => passes,
  };
}
