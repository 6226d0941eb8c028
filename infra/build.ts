import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Metafile } from 'esbuild';
import { bundleFunctions } from './bundle-functions.ts';

/**
 * `npm run build`: makes the package in `dist/`. `index.cjs` is the construct, as CommonJS, which the jest of CDK's own template can
 * load, too; `lambda/` the functions, which a deployment uploads as they are; `cli/` the command line; `types/` its types.
 */

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DIST = join(ROOT, 'dist');

/** What an app has beside the package: CDK in the app's own version, and two small libraries that check settings. */
const EXTERNAL = ['aws-cdk-lib', 'constructs', 'zod', 'jsonc-parser'];

const COMMON = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'node',
  target: 'node22',
  mainFields: ['module', 'main'],
  keepNames: true,
  metafile: true,
  logLevel: 'warning',
} as const satisfies BuildOptions;

rmSync(DIST, { recursive: true, force: true });
const functions = bundleFunctions(join(DIST, 'lambda'));
const { metafile: construct } = await build({
  ...COMMON,
  entryPoints: ['infra/index.ts'],
  outfile: join(DIST, 'index.cjs'),
  format: 'cjs',
  external: EXTERNAL.flatMap((name) => [name, `${name}/*`]),
  // From the sources the functions are bundled at synthesis; here they lie beside the construct.
  alias: { '#own-files': './infra/own-files-of-package.ts' },
  define: { 'import.meta.url': 'importMetaUrl' },
  banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
});
const { metafile: commandLine } = await build({
  ...COMMON,
  entryPoints: { main: 'functions/cli/main.ts', worker: 'functions/sandbox/world/worker.ts' },
  // Of the construct a stack trace has to be readable; of the command line none is ever shown.
  minifySyntax: true,
  minifyWhitespace: true,
  outdir: join(DIST, 'cli'),
  outExtension: { '.js': '.mjs' },
  format: 'esm',
  // What a command does not use is not loaded.
  splitting: true,
  // CommonJS packages ask for these; esbuild does not warn of the last two, without which every write of the ledger fails.
  banner: {
    js: [
      "import { createRequire as createRequireOfPackage } from 'node:module';",
      "import { fileURLToPath as fileOfUrl } from 'node:url';",
      'const require = createRequireOfPackage(import.meta.url);',
      'const __filename = fileOfUrl(import.meta.url);',
      "const __dirname = fileOfUrl(new URL('.', import.meta.url));",
    ].join(''),
  },
});
writeTypes();
writeFileSync(join(DIST, 'THIRD-PARTY-LICENSES.txt'), licencesOf([functions.metafile, construct, commandLine]));

/** Declarations, marked as CommonJS as the construct is: a CommonJS app could not import the types of a module. */
function writeTypes(): void {
  const types = join(DIST, 'types');
  const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
  execFileSync(tsc, ['--project', join(ROOT, 'infra', 'tsconfig.types.json')], { stdio: 'inherit' });
  writeFileSync(join(types, 'package.json'), `${JSON.stringify({ type: 'commonjs' })}\n`);
}

/** The licence texts of all packages of which something is in the bundles. */
function licencesOf(metafiles: readonly Metafile[]): string {
  const folders = new Set(
    metafiles.flatMap(({ inputs }) =>
      Object.keys(inputs).flatMap((path) => {
        // Where node_modules is a link, the path is that of its target.
        const file = path.slice(Math.max(0, path.indexOf('node_modules/')));
        return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? [];
      }),
    ),
  );
  return [...folders].sort().map(licenceOf).join('\n');
}

function licenceOf(folder: string): string {
  const path = join(ROOT, folder);
  const { name, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as {
    readonly name: string;
    readonly version: string;
    readonly license?: string;
  };
  if (license === undefined)
    throw new Error(`${name} says nothing about its licence, and a part of it is in the package`);
  const file = readdirSync(path).find((each) => /^licen[cs]e/i.test(each));
  const text = file === undefined ? '' : `\n${readFileSync(join(path, file), 'utf8').trim()}\n`;
  return `${'='.repeat(80)}\n${name} ${version} (${license})\n${text}`;
}
