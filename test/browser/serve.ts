import { listenForInterruption } from '../../functions/sandbox/until-interrupted.ts';
import { ACT_ARN, LOOK_ARN, openDoors } from '../panel/doors.ts';
import { badDay } from '../panel/scenes.ts';
import { startFrame } from './frame.ts';

/** `npm run panel`: the control panel in your browser, over a sandbox project on a bad day, in real time. */

const interruption = listenForInterruption();
const harness = await badDay(new Date());
const doors = openDoors(harness);
const frame = await startFrame({ [LOOK_ARN]: doors.look, [ACT_ARN]: doors.act }, LOOK_ARN, { project: 'production' });

const PASS_MINUTES = 5;
let minutes = 0;
let failure: unknown = null;
const ticking = setInterval(() => {
  minutes += 1;
  harness.world.advance(1);
  if (minutes % PASS_MINUTES > 0) return;
  harness.pass().catch((error: unknown) => {
    if (failure === null) console.error(`A pass failed: ${error instanceof Error ? error.message : error}`);
    failure = error;
  });
}, 60_000);

console.log(`The control panel of a sandbox project on a bad day. Nothing here is real, and you need no account. Open one of these:

  light  ${frame.url({ theme: 'light', width: 1_280 })}
  dark   ${frame.url({ theme: 'dark', width: 1_280 })}
  narrow ${frame.url({ theme: 'light', width: 460 })}

The page treats the panel as a CloudWatch dashboard does. You see an integration that Qonversion suspended, one that the guard paused,
one that it probes, one that is flapping, one that an operator has the guard ignore, and healthy ones.
Press the buttons: pause or resume an integration, ignore it for a day, run a pass. Each asks you first.
Time is real, and the guard runs a pass every ${PASS_MINUTES} minutes. Reload the page to see what changed. Ctrl-C ends it.`);

await interruption.interrupted;
clearInterval(ticking);
await frame.close();
