import { readFileSync, writeFileSync } from 'node:fs';
import { EVENTS_PAGE, eventsPage, RUNBOOK_PAGE, runbookPage } from './pages.ts';

writeFileSync(EVENTS_PAGE, eventsPage());
writeFileSync(RUNBOOK_PAGE, runbookPage(readFileSync(RUNBOOK_PAGE, 'utf8')));
