import type { TextlintRuleModule } from '@textlint/types';

/**
 * A sentence that begins with "What …" and asks nothing makes a clause its subject ("What you pause is never resumed"). Name the actor
 * first: "The guard never resumes what you paused".
 */
export const freeRelatives: TextlintRuleModule = ({ Syntax, RuleError, getSource, locator, report }) => ({
  [Syntax.Paragraph](node) {
    const text = getSource(node);
    for (const { index, 0: sentence } of text.matchAll(SENTENCE)) {
      if (sentence.endsWith('?')) continue;
      report(node, new RuleError(`Name the actor first: “${sentence.slice(0, 50)}”`, { padding: locator.at(index) }));
    }
  },
});

const SENTENCE = /(?:^|(?<=[.!?] ))(?:What|Who|Whoever|Whatever|Whichever) [^.?!]*[.!?]?/g;
