// These rules have no types.
declare module 'textlint-rule-en-max-word-count';
declare module 'textlint-rule-stop-words';
declare module 'textlint-rule-terminology';
declare module 'textlint-rule-write-good';
