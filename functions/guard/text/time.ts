/** Arithmetic and words for moments, which are ISO 8601 strings. The clock port is the only source of "now". */

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;

export function plusMs(moment: Date, ms: number): string {
  return new Date(moment.getTime() + ms).toISOString();
}

export function plusMinutes(moment: string, minutes: number): string {
  return new Date(Date.parse(moment) + minutes * MINUTE_MS).toISOString();
}

/** Whole minutes from `earlier` to `later`; never negative, since the API's clock and this machine's may differ a little. */
export function minutesBetween(earlier: string, later: string): number {
  return Math.max(0, Math.floor((Date.parse(later) - Date.parse(earlier)) / MINUTE_MS));
}

/** Whether `candidate` is later than `reference`. Every moment is later than null. */
export function isLater(candidate: string | null, reference: string | null): boolean {
  if (candidate === null) return false;
  return reference === null || Date.parse(candidate) > Date.parse(reference);
}

export function latest(first: string, ...others: readonly (string | null)[]): string {
  return others.reduce<string>((best, other) => (other !== null && isLater(other, best) ? other : best), first);
}

/** "48 min", "3 h 20 min", "2 days". */
export function describeMinutes(minutes: number): string {
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) {
    const rest = minutes % 60;
    return `${Math.floor(minutes / 60)} h${rest === 0 ? '' : ` ${rest} min`}`;
  }
  return `${Math.floor(minutes / (24 * 60))} days`;
}

/** "09:12 UTC" today, "2026-11-22 09:12 UTC" on any other day. */
export function describeMoment(moment: string | null, now: string): string {
  if (moment === null) return 'never';
  const iso = new Date(Date.parse(moment)).toISOString();
  const clock = `${iso.slice(11, 16)} UTC`;
  return iso.slice(0, 10) === now.slice(0, 10) ? clock : `${iso.slice(0, 10)} ${clock}`;
}
