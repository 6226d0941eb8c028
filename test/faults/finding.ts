/** What a harness has to say: how much it tried, and everything that went against the laws. */
export interface Finding {
  readonly harness: string;
  /** What was counted: "crash points", "interleavings" … */
  readonly unit: string;
  readonly tried: number;
  /** One sentence each, with what is needed to see it again. */
  readonly violations: readonly string[];
  /** Other numbers worth showing. */
  readonly figures?: Readonly<Record<string, string | number>>;
}

/** How much to try: enough for every change to be checked, all of it, or until somebody has slept over it. */
export type Size = 'quick' | 'full' | 'soak';
