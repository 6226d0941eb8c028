import { readFileSync } from 'node:fs';
import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { createStack } from '../infra/synthesize.ts';
import {
  ALARMS_PER_FLEET,
  ALARMS_PER_PROJECT,
  ALARMS_PER_STACK,
  amountsOf,
  billOf,
  describeCost,
  showDollars,
} from './cost.ts';

/** The bill of a deployment, and everything that quotes it. */

describe('one project with a pass every five minutes', () => {
  it('costs at most $1.00 without a key of its own and without a dashboard', () => {
    expect(billOf({ listed: 1, customerKey: false }).list).toBeLessThanOrEqual(1);
  });

  it('costs at most $2.50 with the defaults', () => {
    expect(billOf({ listed: 1 }).list).toBeLessThanOrEqual(2.5);
  });

  it('is billed no metric, alarm or dashboard within the free allowances', () => {
    const { metric = 0, alarm = 0, dashboard = 0 } = amountsOf({ listed: 1, dashboard: true });
    expect(metric).toBe(0);
    expect(alarm).toBeLessThanOrEqual(10);
    expect(dashboard).toBeLessThanOrEqual(3);
  });
});

describe('the calculation', () => {
  const alarmsIn = (document: object) =>
    Object.keys(Template.fromStack(createStack(document).stack).findResources('AWS::CloudWatch::Alarm')).length;
  const listed = (count: number) => ({
    projects: Object.fromEntries(
      Array.from({ length: count }, (_, index) => [`p${index}`, { secretName: `q/${index}` }]),
    ),
  });
  const fleet = { fleet: { secretNamePrefix: 'fleet/' } };

  it('has the alarms of the stack', () => {
    expect(alarmsIn(listed(1))).toBe(ALARMS_PER_STACK + ALARMS_PER_PROJECT);
    expect(alarmsIn(listed(3))).toBe(amountsOf({ listed: 3 }).alarm);
    expect(alarmsIn(fleet)).toBe(ALARMS_PER_FLEET + 1);
    expect(alarmsIn({ ...listed(2), ...fleet })).toBe(amountsOf({ listed: 2, fleet: 10 }).alarm);
  });

  it('has the key, the secret and the dashboard of the stack', () => {
    for (const dashboard of [false, true]) {
      const template = Template.fromStack(createStack({ ...listed(1), dashboard }).stack);
      const amounts = amountsOf({ listed: 1, dashboard });
      template.resourceCountIs('AWS::KMS::Key', amounts.key ?? 0);
      template.resourceCountIs('AWS::SecretsManager::Secret', amounts.secret ?? 0);
      template.resourceCountIs('AWS::CloudWatch::Dashboard', amounts.dashboard ?? 0);
    }
  });

  it('adds up: allowances only lower a bill, and a shared secret costs once', () => {
    const ten = billOf({ listed: 10 });
    expect(ten.afterFree).toBeLessThan(ten.list);
    expect(ten.list - billOf({ listed: 10, secrets: 1 }).list).toBeCloseTo(9 * 0.4);
    expect(billOf({ listed: 1, dashboard: true }).list - billOf({ listed: 1 }).list).toBeCloseTo(3);
  });
});

describe('the page', () => {
  const page = readFileSync('docs/cost.md', 'utf8');

  it('is the one that `npm run bench -- --cost` writes', () => {
    expect(page).toBe(describeCost());
  });

  it('has every price that other pages quote', () => {
    const [, latest = ''] = readFileSync('CHANGELOG.md', 'utf8').split('\n## ');
    const texts = [readFileSync('README.md', 'utf8'), readFileSync('docs/fleet.md', 'utf8'), latest];
    const quoted = texts.flatMap((text) => text.match(/\$\d[\d,]*\.\d\d/g) ?? []);
    expect(quoted).toContain(showDollars(billOf({ listed: 1 }).list));
    expect(quoted).toContain(showDollars(billOf({ listed: 1, customerKey: false }).list));
    for (const price of quoted) expect(page).toContain(price);
  });
});
