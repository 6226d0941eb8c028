import { htmlEscape } from 'escape-goat';

/** Markup that is safe, because only the template below makes it. */
export class Html {
  readonly #markup: string;

  constructor(markup: string) {
    this.#markup = markup;
  }

  toString(): string {
    return this.#markup;
  }
}

type Insert = Html | string | number | null | readonly (Html | null)[];

/**
 * A template that escapes its inserts for text and quoted attributes, unless an insert is markup of such a template (law 5). Null
 * inserts nothing.
 *
 * @example Untrusted text stays text
 * html`<p title="${title}">${message}</p>`
 */
export function html(strings: TemplateStringsArray, ...inserts: readonly Insert[]): Html {
  return new Html(String.raw({ raw: strings }, ...inserts.map(markupOf)));
}

function markupOf(insert: Insert): string {
  if (insert === null) return '';
  if (insert instanceof Html) return insert.toString();
  if (typeof insert === 'string' || typeof insert === 'number') return htmlEscape(String(insert));
  return insert.map(markupOf).join('');
}
