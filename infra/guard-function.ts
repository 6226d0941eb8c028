import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AssetHashType, DockerImage, Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Architecture, Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { type BuildOptions, buildSync, type Metafile } from 'esbuild';
import { PASS_TIME_LIMIT_SECONDS } from '../functions/guard/model/lease.ts';
import type { Settings } from '../functions/guard/settings/schema.ts';

export interface GuardFunctionProps {
  readonly description: string;
  /** File in `functions/` that exports `handler`. */
  readonly entry: string;
  /** Bundled beside the code, where no invocation can reach them. */
  readonly settings: Settings;
  readonly environment: { readonly [name: string]: string };
  /** @default the time limit of a pass */
  readonly timeout?: Duration;
  /** Encrypts the logs. */
  readonly encryptionKey: IKey;
}

/** Of every function. */
export const MEMORY_MB = 256;

const LAMBDA = fileURLToPath(new URL('../functions/lambda', import.meta.url));

/** One factory for every function of the guard: runtime, bundling, logs. */
export function createGuardFunction(scope: Construct, id: string, props: GuardFunctionProps): LambdaFunction {
  const logGroup = new LogGroup(scope, `${id}Logs`, {
    retention: RetentionDays.THREE_MONTHS,
    encryptionKey: props.encryptionKey,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  // The usual managed policy lets a function write every log of the account.
  const role = new Role(scope, `${id}Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  logGroup.grantWrite(role);
  return new LambdaFunction(scope, id, {
    role,
    description: props.description,
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    handler: 'index.handler',
    code: bundle(props.entry, props.settings),
    memorySize: MEMORY_MB,
    timeout: props.timeout ?? Duration.seconds(PASS_TIME_LIMIT_SECONDS),
    // Scheduler invokes asynchronously; a failed pass has told so, and the next pass is the better retry.
    retryAttempts: 0,
    environment: { ...props.environment, NODE_OPTIONS: '--enable-source-maps' },
    logGroup,
  });
}

/**
 * The settings that travel with the code. No function looks at the subscriptions, which are SNS's business and hold addresses of
 * people and of endpoints: a reader of a function's code need not read those.
 */
function withoutSubscriptions(settings: Settings): Settings {
  return { ...settings, alerts: { ...settings.alerts, subscriptions: [] } };
}

/** esbuild through its own API: no container, no shell that could make something of the settings' characters. */
function bundle(entry: string, settings: Settings): Code {
  return Code.fromAsset(LAMBDA, {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      image: DockerImage.fromRegistry('not-used'),
      // CDK bundles only once what has the same source and the same options, and it does not look into `local`: without
      // this every function would get the code of the first.
      command: [entry, JSON.stringify(withoutSubscriptions(settings))],
      local: {
        tryBundle(outputFolder: string): boolean {
          bundleInto(outputFolder, entry, settings);
          return true;
        },
      },
    },
  });
}

/**
 * What a cold start of a quiet pass may load, in bytes: a library that is pulled in by accident shows here. The other functions
 * have as much room.
 */
export const LOADED_BUDGET_BYTES = 512 * 1_024;

/** How every function is bundled; the bench bundles what it compares with in the same way. */
export const BUNDLING = {
  metafile: true,
  absWorkingDir: LAMBDA,
  entryNames: 'index',
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

/**
 * Writes `index.mjs`, the files it loads at once or when they are needed, their source maps and `settings.json` into a folder.
 * @returns bytes of code that are loaded at once
 * @throws when that is more than LOADED_BUDGET_BYTES
 */
export function bundleInto(outputFolder: string, entry: string, settings: Settings): number {
  const { metafile } = buildSync({ ...BUNDLING, entryPoints: [join(LAMBDA, entry)], outdir: outputFolder });
  writeFileSync(join(outputFolder, 'settings.json'), `${JSON.stringify(withoutSubscriptions(settings))}\n`);
  const loaded = loadedBytes(metafile);
  if (loaded > LOADED_BUDGET_BYTES) {
    throw new Error(
      `${entry} loads ${loaded} bytes at its start, ${LOADED_BUDGET_BYTES} at most; import what is rarely needed where it is needed`,
    );
  }
  return loaded;
}

/** Bytes of the entry and of everything it imports but by `import()`. */
export function loadedBytes({ outputs }: Metafile, name = 'index.mjs'): number {
  const seen = new Set<string>();
  const visit = (file: string): number => {
    const output = outputs[file];
    if (output === undefined || seen.has(file)) return 0;
    seen.add(file);
    const imports = output.imports.filter(({ kind }) => kind !== 'dynamic-import').map(({ path }) => visit(path));
    return imports.reduce((sum, bytes) => sum + bytes, output.bytes);
  };
  const entry = Object.keys(outputs).find((file) => file.endsWith(name));
  return entry === undefined ? 0 : visit(entry);
}
