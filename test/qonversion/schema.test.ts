import { describe, expect, it } from 'vitest';
import { parseRecord } from '../../functions/qonversion/schema.ts';
import { sentRecord } from '../security/hostile-api.ts';

const parsed = (fields: Readonly<Record<string, unknown>>) => {
  const result = parseRecord(sentRecord(fields), { personalData: 'redact', withoutKey: (text) => text });
  return 'record' in result ? result.record : null;
};

describe('a record of the API', () => {
  it.each(['4111 1111 1111 1111', 'john.smith@example.com', '192.168.100.200', 'DE89 3704 0044 0532 0130 00'])(
    'contains no half of %s where its message is cut',
    (datum) => {
      const half = datum.slice(0, Math.ceil(datum.length / 2));
      for (let before = 970; before <= 1_010; before += 1) {
        const message = parsed({ last_error_message: `${'x '.repeat(600).slice(0, before)} ${datum} and more` });
        expect(message?.last_error_message).not.toContain(half);
      }
    },
  );

  it.each([
    ['2026-11-23T12:00:00Z', '2026-11-23T12:00:00Z'],
    ['2026-11-23T12:00:00.123Z', '2026-11-23T12:00:00.123Z'],
    ['2026-11-23T12:00:00.1239Z', '2026-11-23T12:00:00.123Z'],
    ['2026-11-23T12:00:00+05:30', '2026-11-23T06:30:00.000Z'],
    ['9999-12-31T23:59:59-23:59', null],
    ['yesterday', null],
  ])('has its times in one format: %s', (sent, kept) => {
    expect(parsed({ updated_at: sent })?.updated_at ?? null).toBe(kept);
  });

  it('has normalised names, which match the settings', () => {
    expect(parsed({ title: 'cafe\u0301  \u{1f468}\u200d\u{1f469}\u00a0x' })?.title).toBe('café 👨👩 x');
  });
});
