import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { toDigest } from '../../functions/messages/digest.ts';
import { anEvent } from '../messages/events.ts';
import { minutesAfter, NOON } from '../support/builders.ts';

it('the README shows a mail as the guard sends it', () => {
  const context = { project: 'production', place: 'account 123456789012, eu-west-1', stack: 'IntegrationGuard' };
  const paused = { ...anEvent('integration.paused'), nextProbeAt: minutesAfter(NOON, 15) };
  const { subject, text } = toDigest([paused], { ...context, runbook: null, panel: null });
  expect(readFileSync('README.md', 'utf8')).toContain(`\`\`\`text\nSubject: ${subject}\n\n${text}\`\`\``);
});
