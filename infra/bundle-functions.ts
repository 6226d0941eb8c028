import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, buildSync, type Metafile } from 'esbuild';

/** Bundles the functions. The package carries the result; from the sources CDK makes it at synthesis. */

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const LAMBDA = join(ROOT, 'functions', 'lambda');

/** A handler each. All lie in one folder, so that a stack uploads one asset. */
export const FUNCTIONS = ['pass', 'fleet-pass', 'panel', 'panel-actions'] as const;

export type FunctionName = (typeof FUNCTIONS)[number];

/**
 * What a cold start of a quiet pass may load, in bytes: a library that is pulled in by accident shows here. The other functions
 * have as much room.
 */
export const LOADED_BUDGET_BYTES = 512 * 1_024;

/** Also how the bench bundles what it compares with. */
export const BUNDLING = {
  metafile: true,
  absWorkingDir: LAMBDA,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  // What a quiet pass does not use lies in files of its own, and is not loaded.
  splitting: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  mainFields: ['module', 'main'] as string[],
  minify: true,
  // Error classes are told apart by name in logs and alarms.
  keepNames: true,
  sourcemap: 'linked',
  sourcesContent: false,
  // The bundle carries CommonJS packages, which ask for `require`.
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  logLevel: 'warning',
} as const satisfies BuildOptions;

export interface BundledFunctions {
  /** Bytes of code that each loads at once. */
  readonly loadedBytes: Readonly<Record<FunctionName, number>>;
  readonly metafile: Metafile;
}

/**
 * Writes `NAME.mjs` of every function, the files they load at once or when they are needed, and source maps into a folder.
 * @throws when one of them loads more than `budget`
 */
export function bundleFunctions(folder: string, budget = LOADED_BUDGET_BYTES): BundledFunctions {
  const { metafile, outputFiles } = buildSync({
    ...BUNDLING,
    entryPoints: FUNCTIONS.map((name) => join(LAMBDA, `${name}.ts`)),
    // Source maps name the sources relative to this folder. Written elsewhere, the files are the same byte for byte.
    outdir: join(ROOT, 'dist', 'lambda'),
    write: false,
  });
  mkdirSync(folder, { recursive: true });
  for (const { path, contents } of outputFiles) writeFileSync(join(folder, basename(path)), contents);
  const loaded = FUNCTIONS.map((name) => [name, loadedBytes(metafile, `${name}.mjs`)] as const);
  for (const [name, bytes] of loaded) {
    if (bytes <= budget) continue;
    throw new Error(
      `${name} loads ${bytes} bytes at its start, ${budget} at most; import what is rarely needed where it is needed`,
    );
  }
  return { loadedBytes: Object.fromEntries(loaded) as Record<FunctionName, number>, metafile };
}

/** Bytes of the entry and of everything it imports but by `import()`. */
export function loadedBytes({ outputs }: Metafile, name: string): number {
  const seen = new Set<string>();
  const visit = (file: string): number => {
    const output = outputs[file];
    if (output === undefined || seen.has(file)) return 0;
    seen.add(file);
    const imports = output.imports.filter(({ kind }) => kind !== 'dynamic-import').map(({ path }) => visit(path));
    return imports.reduce((sum, bytes) => sum + bytes, output.bytes);
  };
  const entry = Object.keys(outputs).find((file) => basename(file) === name);
  return entry === undefined ? 0 : visit(entry);
}
