import { styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

/** Colours only where the terminal shows them (NO_COLOR, pipes and dumb terminals included in the check). */
export function paint(style: Style, text: string): string {
  return styleText(style, text, { validateStream: true, stream: process.stdout });
}
