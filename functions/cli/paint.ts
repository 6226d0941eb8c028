import { styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

/** Colours the text if the terminal supports it. NO_COLOR, pipes and dumb terminals turn colours off. */
export function paint(style: Style, text: string): string {
  return styleText(style, text, { validateStream: true, stream: process.stdout });
}
