/** An error's message as a sentence, with a capital letter and a full stop. */
export function toSentence(message: string): string {
  const end = /[.!?…)]$/.test(message) ? '' : '.';
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}${message.endsWith(')') ? '.' : end}`;
}
