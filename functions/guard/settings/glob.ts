import picomatch from 'picomatch';

const matchers = new Map<string, (text: string) => boolean>();

/** Whether a title or a name fits a glob (`*` any run of characters, `?` one). A glob is made ready once. */
export function globMatcher(glob: string): (text: string) => boolean {
  // `bash` lets `*` cross a slash: neither titles nor names are paths.
  const matcher = matchers.get(glob) ?? picomatch(glob, { bash: true, dot: true });
  matchers.set(glob, matcher);
  return matcher;
}
