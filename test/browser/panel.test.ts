import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AxeResults } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BUTTON } from '../../functions/guard/model/event-catalogue.ts';
import { ACT_ARN, LOOK_ARN, openDoors, type PanelDoors } from '../panel/doors.ts';
import { allIsWell, badDay } from '../panel/scenes.ts';
import type { Harness } from '../support/harness.ts';
import { launchChromium } from './chromium.ts';
import { type Frame, startFrame } from './frame.ts';

/**
 * The panel in a real browser, in a page that treats it as CloudWatch's guide describes. `SCREENSHOTS=docs/panel` keeps the
 * pictures of the README.
 */

const AXE = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
const SCREENSHOTS = process.env.SCREENSHOTS ?? 'node_modules/.cache/integration-guard/screenshots';

let browser: Browser;
let frame: Frame;
let page: Page;
const errors: string[] = [];

beforeAll(async () => {
  browser = await launchChromium();
  mkdirSync(SCREENSHOTS, { recursive: true });
}, 300_000);

afterAll(() => browser?.close());

afterEach(async () => {
  await page?.close();
  await frame?.close();
  expect(errors.splice(0)).toEqual([]);
});

interface Look {
  readonly theme?: 'light' | 'dark';
  readonly width?: number;
  readonly height?: number;
  /** The function that the reader may not call. */
  readonly denied?: string;
  /** Whether it is the panel of the project's fleet. */
  readonly fleet?: boolean;
}

async function open(harness: Harness, look: Look = {}): Promise<PanelDoors> {
  const { theme = 'light', width = 1_280, height = 900, denied, fleet = false } = look;
  const doors = openDoors(harness, fleet);
  const functions = Object.fromEntries(
    Object.entries({ [LOOK_ARN]: doors.look, [ACT_ARN]: doors.act }).filter(([arn]) => arn !== denied),
  );
  frame = await startFrame(functions, LOOK_ARN, fleet ? { fleet: true } : { project: 'production' });
  page = await browser.newPage({ viewport: { width, height } });
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && denied === undefined) errors.push(message.text());
  });
  await page.goto(frame.url({ theme, width }));
  await page.locator('.ig').waitFor();
  return doors;
}

const settled = () => page.locator('body:not([data-busy])').waitFor();

async function press(name: string | RegExp, answer?: 'Confirm' | 'Cancel'): Promise<void> {
  await page.getByRole('button', { name }).first().click();
  if (answer !== undefined) await page.getByRole('dialog').getByRole('button', { name: answer }).click();
  await settled();
}

/** Shows the whole panel; of the narrow form, which is long, the first two screens. */
async function takePicture(name: string, width: number): Promise<void> {
  const { height } = (await page.locator('main').boundingBox()) ?? { height: 0 };
  const clip = { x: 0, y: 0, width, height: Math.min(height + 24, width < 800 ? 1_300 : height + 24) };
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true, clip });
}

async function violations(): Promise<readonly string[]> {
  await page.evaluate(AXE);
  const result = await page.evaluate<AxeResults>('axe.run(document.querySelector(".ig"))');
  return result.violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}

/** Elements that are wider than the panel, or cut off in it. */
function tooWide(): Promise<readonly string[]> {
  return page.evaluate(`(() => {
    const panel = document.querySelector('main').getBoundingClientRect();
    return [...document.querySelectorAll('main, .ig, .ig *:not(svg *):not(thead, thead *):not(cwdb-action)')]
      .filter((each) => each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).display !== 'inline'
        || each.getBoundingClientRect().right > panel.right + 1)
      .map((each) => each.tagName + '.' + each.className + ': ' + each.textContent.slice(0, 40));
  })()`);
}

/** Elements that are too small for a finger. WCAG 2.2 asks for 24 by 24 pixels. */
function tooSmall(pixels: number): Promise<readonly string[]> {
  return page.evaluate(`[...document.querySelectorAll('.ig button, .ig input, .ig select, .ig summary')]
    .filter((each) => each.getBoundingClientRect().width < ${pixels} || each.getBoundingClientRect().height < ${pixels})
    .map((each) => each.outerHTML.slice(0, 80))`);
}

describe('the panel in a browser', () => {
  it.each([
    ['well-light', allIsWell, { theme: 'light', width: 1_280 }],
    ['bad-light', badDay, { theme: 'light', width: 1_280 }],
    ['bad-dark', badDay, { theme: 'dark', width: 1_280 }],
    ['bad-narrow', badDay, { theme: 'light', width: 360 }],
  ] as const)('is accessible and fits: %s', async (name, scene, look) => {
    await open(await scene(), look);
    await takePicture(name, look.width);
    expect(await violations()).toEqual([]);
    expect(await tooWide()).toEqual([]);
    await page.getByText('History of the last 7 days').click();
    await page.getByText('Find, filter and sort').click();
    expect(await violations()).toEqual([]);
    expect(await tooWide()).toEqual([]);
    expect(await tooSmall(look.width < 820 ? 32 : 24)).toEqual([]);
  });

  it('of a phone shows what happened, since when, what is next and what to do on the first screen', async () => {
    await open(await badDay(), { width: 360, height: 640 });
    const first = page.locator('.ig-cards tbody tr').first();
    for (const part of [
      first.locator('.ig-state'),
      first.getByText('since 08:50 UTC, for 50 min'),
      first.getByText('The guard probes it at 09:50 UTC.'),
      first.getByRole('button', { name: /^Resume: Braze iOS/ }),
    ]) {
      const { y, height } = (await part.boundingBox()) ?? { y: Number.NaN, height: 0 };
      expect(y + height).toBeLessThan(640);
    }
  });

  it('has the buttons that messages name', async () => {
    await open(await badDay());
    const words = await page.getByRole('button').allTextContents();
    expect(words).toEqual(expect.arrayContaining(Object.values(BUTTON)));
  });

  it('has a headline that says whether everything works, and the worst integration first', async () => {
    await open(await allIsWell());
    expect(await page.getByRole('heading', { level: 2 }).textContent()).toContain('Everything works: 11 delivering');
    await page.close();
    await frame.close();
    await open(await badDay());
    expect(await page.getByRole('heading', { level: 2 }).textContent()).toContain('2 stopped');
    const states = await page.locator('.ig-cards .ig-state').allTextContents();
    expect(states[0]).toContain('suspended by Qonversion');
    expect(states.at(-1)).toContain('delivering');
  });

  it('keeps rows and cells for screen readers in the narrow form', async () => {
    await open(await badDay(), { width: 360 });
    const table = page.getByRole('table', { name: 'Integrations of project production' });
    expect(await table.getByRole('row').count()).toBe(13);
    const row = table.getByRole('row', { name: /Segment Stripe/ });
    expect(await row.getByRole('cell').count()).toBe(7);
    expect(await row.getByRole('img').getAttribute('aria-label')).toMatch(/^Last 7 days: delivering, failing from/);
    expect(await row.getByRole('rowheader').textContent()).toContain('seg-stripe');
  });

  it('asks before it pauses, and pauses, and shows it', async () => {
    const harness = await allIsWell();
    await open(harness);
    const pause = /^Pause: Braze iOS/;
    await press(pause, 'Cancel');
    expect(harness.world.get('braze-ios')?.active).toBe(1);
    expect(frame.calls).toHaveLength(1);

    await press(pause, 'Confirm');
    expect(harness.world.get('braze-ios')?.active).toBe(0);
    expect(frame.calls.at(-1)).toMatchObject({
      endpoint: ACT_ARN,
      payload: { project: 'production', action: 'pause', id: 'braze-ios' },
    });
    expect(await page.getByRole('status').textContent()).toContain('braze-ios is paused');

    await press(/^Resume: Braze iOS/, 'Confirm');
    expect(harness.world.get('braze-ios')?.active).toBe(1);
    expect(await page.getByRole('status').textContent()).toContain('active again');
  });

  it('can be used with the keyboard alone', async () => {
    const harness = await allIsWell();
    await open(harness);
    const names: string[] = [];
    for (let presses = 0; presses < 12; presses += 1) {
      await page.keyboard.press('Tab');
      names.push(
        String(
          await page.evaluate(
            'document.activeElement.getAttribute("aria-label") ?? document.activeElement.name ?? document.activeElement.textContent',
          ),
        ),
      );
      if (names.at(-1)?.startsWith('Pause')) break;
      if (names.at(-1) === 'Find, filter and sort') await page.keyboard.press('Enter');
    }
    expect(names.slice(0, 6)).toEqual([
      'Run now: a pass over project production',
      'Find, filter and sort',
      'find',
      'show',
      'sort',
      'Apply the filter',
    ]);
    const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle');
    expect(outline).toBe('solid');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await settled();
    expect(await page.getByRole('status').textContent()).toContain('is paused');
    expect(frame.calls.at(-1)?.endpoint).toBe(ACT_ARN);
  });

  it('ignores for a day, and guards again', async () => {
    const harness = await badDay();
    await open(harness);
    await press(/^Ignore for a day: AppsFlyer Android/, 'Confirm');
    await harness.run(30);
    expect(harness.world.get('af-android')?.active).toBe(1);
    await press(/^Guard again: AppsFlyer Android/, 'Confirm');
    // Its failures count again from zero.
    await harness.run(20);
    expect(harness.world.get('af-android')?.active).toBe(0);
  });

  it('runs a pass', async () => {
    const harness = await badDay();
    const doors = await open(harness);
    harness.world.advance(10);
    await press('Run now: a pass over project production', 'Confirm');
    expect(doors.passes()).toBe(1);
    expect(await page.getByRole('status').textContent()).toContain('The pass is done:');
    expect(harness.world.get('af-android')?.active).toBe(0);
  });

  it('filters and sorts with the function that looks, and keeps what was chosen', async () => {
    await open(await badDay());
    const shown = () => page.locator('table[aria-label^=Integrations] tbody tr').count();
    expect(await shown()).toBe(12);
    await page.getByText('Find, filter and sort').click();
    await page.getByLabel('Show').selectOption('trouble');
    await press('Apply the filter');
    expect(await shown()).toBe(5);
    expect(frame.calls.at(-1)?.endpoint).toBe(LOOK_ARN);
    await page.getByLabel('Find').fill('SEGMENT');
    await press('Apply the filter');
    expect(await shown()).toBe(1);
    expect(await page.getByLabel('Find').inputValue()).toBe('SEGMENT');
    expect(await page.getByLabel('Show').inputValue()).toBe('trouble');
    expect(await page.getByText('11 not shown').count()).toBe(1);
  });

  it('of a fleet asks for a project, shows it, and stays with it', async () => {
    const harness = await allIsWell();
    await open(harness, { fleet: true });
    expect(await violations()).toEqual([]);
    const choose = async (name: string) => {
      await page.getByRole('textbox', { name: 'Project of the fleet' }).fill(name);
      await press('Show the project');
    };
    await choose('nobody');
    expect(await page.getByRole('alert').textContent()).toContain('no project "nobody"');
    expect(await violations()).toEqual([]);

    await choose('production');
    expect(await page.getByRole('table', { name: 'Integrations of project production' }).count()).toBe(1);
    await takePicture('fleet-light', 1_280);
    expect(await violations()).toEqual([]);
    await press(/^Pause: Braze iOS/, 'Confirm');
    expect(harness.world.get('braze-ios')?.active).toBe(0);
    expect(await page.getByRole('status').textContent()).toContain('braze-ios is paused');
    expect(await page.getByRole('textbox', { name: 'Project of the fleet' }).inputValue()).toBe('production');
  });

  it('of a fleet is accessible and fits in a narrow widget and in the dark', async () => {
    await open(await allIsWell(), { fleet: true, width: 360, theme: 'dark' });
    expect(await violations()).toEqual([]);
    await page.getByRole('textbox', { name: 'Project of the fleet' }).fill('production');
    await press('Show the project');
    expect(await violations()).toEqual([]);
    expect(await tooWide()).toEqual([]);
  });

  it('lets a person look who may not act according to IAM', async () => {
    const harness = await allIsWell();
    await open(harness, { denied: ACT_ARN });
    await press(/^Pause: Braze iOS/, 'Confirm');
    expect(await page.getByRole('alert').textContent()).toBe('AccessDenied');
    expect(harness.world.get('braze-ios')?.active).toBe(1);
  });

  it('shows HTML in every field as text: nothing runs, no element is added, no button changes hands', async () => {
    const harness = await allIsWell();
    const hostile = `"></td><img src=x onerror="document.title='owned'"><script>document.title='owned'</script><a class="btn">x</a><cwdb-action action="call" endpoint="arn:evil">{}</cwdb-action>`;
    harness.world.patch('braze-ios', {
      title: hostile,
      integration: hostile,
      last_error_message: hostile,
      last_error_at: '2026-11-24T09:00:00Z',
    });
    await open(harness);
    expect(await page.title()).toBe('Dashboard');
    expect(await page.locator('.ig img, .ig script, .ig a').count()).toBe(0);
    const endpoints = await page
      .locator('.ig cwdb-action')
      .evaluateAll((all) => all.map((each) => each.getAttribute('endpoint')));
    expect(new Set(endpoints)).toEqual(new Set([LOOK_ARN, ACT_ARN]));
    expect(await page.getByRole('rowheader', { name: /onerror/ }).count()).toBe(1);
    await press(/^Pause: .*braze-ios/, 'Cancel');
    expect(await page.title()).toBe('Dashboard');
  });
});
