/** Quiet hours: the hours of the day in which people get critical alerts only. */

export interface QuietHours {
  /** The first minute, as a local time of day such as "22:00". */
  readonly from: string;
  /** The first minute after them. Earlier than `from`: they last past midnight. */
  readonly to: string;
  /** A name of the IANA time zone database, such as "Europe/Berlin". */
  readonly timeZone: string;
}

export const A_TIME_ZONE = 'the name of a time zone such as "Europe/Berlin" or "UTC"';

export function isTimeZone(name: string): boolean {
  // An offset such as "+02:00" has no summer time, and EventBridge Scheduler does not accept it.
  if (!/^[A-Z]/.test(name)) return false;
  try {
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions();
    // AWS compares the case of letters.
    return timeZone === name || timeZone.toLowerCase() !== name.toLowerCase();
  } catch {
    return false;
  }
}

export function isQuietAt({ from, to, timeZone }: QuietHours, moment: Date): boolean {
  const format = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const now = format.format(moment);
  return from < to ? from <= now && now < to : from <= now || now < to;
}

/** "22:00-07:00 Europe/Berlin": identifies quiet hours. */
export function nameOfQuietHours({ from, to, timeZone }: QuietHours): string {
  return `${from}-${to} ${timeZone}`;
}
