import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, buildSync, type Metafile } from 'esbuild';

/** Bundles the functions. The package contains the result; from the sources, CDK bundles at synthesis. */

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const LAMBDA = join(ROOT, 'functions', 'lambda');

/** One handler each. All are in one folder, so that a stack uploads one asset. */
export const FUNCTIONS = ['pass', 'fleet-pass', 'digest', 'panel', 'panel-actions'] as const;

export type FunctionName = (typeof FUNCTIONS)[number];

/**
 * Limit, in bytes, of the code that a cold start of a quiet pass loads. It reveals libraries that are imported by
 * accident. The same limit applies to the other functions.
 */
export const LOADED_BUDGET_BYTES = 512 * 1_024;

/** The bench bundles its comparison script with the same options. */
export const BUNDLING = {
  metafile: true,
  absWorkingDir: LAMBDA,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  // Code that a quiet pass does not use is split into files that it does not load.
  splitting: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  mainFields: ['module', 'main'] as string[],
  minify: true,
  // Logs and alarms identify error classes by name.
  keepNames: true,
  sourcemap: 'linked',
  sourcesContent: false,
  // The bundle contains CommonJS packages, which need `require`.
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  logLevel: 'warning',
} as const satisfies BuildOptions;

export interface BundledFunctions {
  /** Bytes of code that each function loads at its start. */
  readonly loadedBytes: Readonly<Record<FunctionName, number>>;
  readonly metafile: Metafile;
}

/**
 * Writes into a folder: `NAME.mjs` of every function, the files that they import, and source maps.
 * @throws if a function loads more than `budget` at its start
 */
export function bundleFunctions(folder: string, budget = LOADED_BUDGET_BYTES): BundledFunctions {
  const { metafile, outputFiles } = buildSync({
    ...BUNDLING,
    entryPoints: FUNCTIONS.map((name) => join(LAMBDA, `${name}.ts`)),
    // Source maps name the sources relative to this folder. The output is the same for any other folder.
    outdir: join(ROOT, 'dist', 'lambda'),
    write: false,
  });
  mkdirSync(folder, { recursive: true });
  for (const { path, contents } of outputFiles) writeFileSync(join(folder, basename(path)), contents);
  const loaded = FUNCTIONS.map((name) => [name, loadedBytes(metafile, `${name}.mjs`)] as const);
  for (const [name, bytes] of loaded) {
    if (bytes <= budget) continue;
    throw new Error(
      `${name} loads ${bytes} bytes at its start; the limit is ${budget}. Load rarely used modules with import()`,
    );
  }
  return { loadedBytes: Object.fromEntries(loaded) as Record<FunctionName, number>, metafile };
}

/** Bytes of the entry and of all its static imports. */
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
