/** The result of a harness: how much it tried, and every violation of a law. */
export interface Finding {
  readonly harness: string;
  /** The unit of `tried`: "crash points", "interleavings" … */
  readonly unit: string;
  readonly tried: number;
  /** One sentence each, with the seed or the steps that reproduce it. */
  readonly violations: readonly string[];
  /** Further figures for the table. */
  readonly figures?: Readonly<Record<string, string | number>>;
}

/** How much to try: for the check of each change, for a full run, or for hours. */
export type Size = 'quick' | 'full' | 'soak';
