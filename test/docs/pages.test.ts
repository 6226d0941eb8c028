import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isAuditOnly } from '../../functions/guard/model/event.ts';
import { EVENT_TYPES, runbookSection } from '../../functions/guard/model/event-catalogue.ts';
import { API_PAGE, apiPage } from './api-page.ts';
import { EVENTS_PAGE, eventsPage, RUNBOOK_PAGE, runbookPage } from './pages.ts';
import { SECURITY_PAGE, securityPage } from './security-page.ts';
import { SETTINGS_PAGE, settingsPage } from './settings-page.ts';

const STALE = 'does not match the event catalogue; run: npm run docs';

describe('the pages generated from the event catalogue', () => {
  it('are up to date', () => {
    const runbook = readFileSync(RUNBOOK_PAGE, 'utf8');
    expect(
      existsSync(EVENTS_PAGE) && readFileSync(EVENTS_PAGE, 'utf8') === eventsPage(),
      `${EVENTS_PAGE} ${STALE}`,
    ).toBe(true);
    expect(runbook === runbookPage(runbook), `${RUNBOOK_PAGE} ${STALE}`).toBe(true);
  });

  it('have one section in the runbook for every event type that alerts people', () => {
    const headings = readFileSync(RUNBOOK_PAGE, 'utf8').match(/^## .*/gm) ?? [];
    const alerting = EVENT_TYPES.filter((type) => !isAuditOnly({ type })).map((type) => `## ${runbookSection(type)}`);
    expect(headings.filter((heading) => !heading.startsWith('## alarm-'))).toEqual(alerting);
    expect(new Set(headings).size).toBe(headings.length);
  });
});

describe('docs/api.md', () => {
  it('has the docstrings of all exports; if not, run: npm run docs', () => {
    expect(readFileSync(API_PAGE, 'utf8')).toBe(apiPage());
  });
});

describe('docs/settings.md', () => {
  it('has every setting of the schema; if not, run: npm run docs', () => {
    const page = readFileSync(SETTINGS_PAGE, 'utf8');
    expect(page).toBe(settingsPage(page));
  });
});

describe('docs/security.md', () => {
  const page = readFileSync(SECURITY_PAGE, 'utf8');

  it('has the roles of the templates and the kinds of attack; if not, run: npm run docs', () => {
    expect(page).toBe(securityPage(page));
  });

  it('has the figures of a full run without violations for every kind', () => {
    const rows = /<!-- attacks:[\s\S]*<!-- end of attacks -->/.exec(page)?.[0].match(/^\| [a-z][a-z-]* \|.*/gm) ?? [];
    expect(rows.length).toBeGreaterThan(10);
    expect(rows.filter((row) => !/ \| [\d,]{2,} \| 0 \|$/.test(row) && !row.startsWith('| kind'))).toEqual([]);
  });
});
