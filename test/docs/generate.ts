import { readFileSync, writeFileSync } from 'node:fs';
import { API_PAGE, apiPage } from './api-page.ts';
import { EVENTS_PAGE, eventsPage, RUNBOOK_PAGE, runbookPage } from './pages.ts';
import { SECURITY_PAGE, securityPage } from './security-page.ts';
import { SETTINGS_PAGE, settingsPage } from './settings-page.ts';

writeFileSync(API_PAGE, apiPage());
writeFileSync(EVENTS_PAGE, eventsPage());
writeFileSync(RUNBOOK_PAGE, runbookPage(readFileSync(RUNBOOK_PAGE, 'utf8')));
writeFileSync(SECURITY_PAGE, securityPage(readFileSync(SECURITY_PAGE, 'utf8')));
writeFileSync(SETTINGS_PAGE, settingsPage(readFileSync(SETTINGS_PAGE, 'utf8')));
