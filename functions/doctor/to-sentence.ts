/** A message of an error, which begins small and ends open, as a sentence of its own. */
export function toSentence(message: string): string {
  const end = /[.!?…)]$/.test(message) ? '' : '.';
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}${message.endsWith(')') ? '.' : end}`;
}
