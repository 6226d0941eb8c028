import { ACT_ARN, LOOK_ARN, openDoors } from '../panel/doors.ts';
import { badDay } from '../panel/scenes.ts';
import { startFrame } from './frame.ts';

/** `npm run panel`: the control panel in your browser, over a sandbox project on a bad day; a minute passes each second. */

const harness = await badDay();
const doors = openDoors(harness);
const frame = await startFrame({ [LOOK_ARN]: doors.look, [ACT_ARN]: doors.act }, LOOK_ARN, { project: 'production' });

let minutes = 0;
const ticking = setInterval(async () => {
  minutes += 1;
  harness.world.advance(1);
  if (minutes % 5 === 0) await harness.pass();
}, 1_000);

console.log(`The panel, in a page that treats it as a CloudWatch dashboard does:

  light  ${frame.url({ theme: 'light', width: 1_280 })}
  dark   ${frame.url({ theme: 'dark', width: 1_280 })}
  narrow ${frame.url({ theme: 'light', width: 460 })}

Its buttons work on a sandbox in this process. Reload to see what has happened since. Ctrl-C ends it.`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    clearInterval(ticking);
    await frame.close();
  });
}
