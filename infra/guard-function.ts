import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AssetHashType, DockerImage, Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Architecture, Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { writeFunctions } from '#own-files';
import { PASS_TIME_LIMIT_SECONDS } from '../functions/guard/model/lease.ts';
import type { Settings } from '../functions/guard/settings/schema.ts';
import { VERSION } from '../functions/guard/version.ts';
import type { FunctionName } from './bundle-functions.ts';

export interface GuardFunctionProps {
  readonly description: string;
  readonly entry: FunctionName;
  /** Beside the code, where no invocation can reach them. */
  readonly settings: Settings;
  readonly environment: { readonly [name: string]: string };
  /** @default the time limit of a pass */
  readonly timeout?: Duration;
  /** Encrypts the logs. */
  readonly encryptionKey: IKey;
}

/** Of every function. */
export const MEMORY_MB = 256;

/** One factory for every function of the guard: runtime, code, logs. */
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
    handler: `${props.entry}.handler`,
    code: codeWith(props.settings),
    memorySize: MEMORY_MB,
    timeout: props.timeout ?? Duration.seconds(PASS_TIME_LIMIT_SECONDS),
    // Scheduler invokes asynchronously; a failed pass has told so, and the next pass is the better retry.
    retryAttempts: 0,
    environment: { ...props.environment, NODE_OPTIONS: '--enable-source-maps' },
    logGroup,
  });
}

/** The code of all functions and the settings, as one asset. CDK makes it once, however many functions have it. */
function codeWith(settings: Settings): Code {
  return Code.fromAsset(fileURLToPath(new URL('.', import.meta.url)), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      image: DockerImage.fromRegistry('not-used'),
      // By this CDK tells assets apart; it does not look into `local`.
      command: [VERSION, settingsText(settings)],
      local: {
        tryBundle(folder: string): boolean {
          writeCode(folder, settings);
          return true;
        },
      },
    },
  });
}

/** Writes what a function's code consists of: the bundles, and `settings.json`. */
export function writeCode(folder: string, settings: Settings): void {
  writeFunctions(folder);
  writeFileSync(join(folder, 'settings.json'), settingsText(settings));
}

/**
 * The settings that travel with the code. No function looks at the subscriptions, which are SNS's business and hold addresses of
 * people and of endpoints: a reader of a function's code need not read those.
 */
function settingsText(settings: Settings): string {
  return `${JSON.stringify({ ...settings, alerts: { ...settings.alerts, subscriptions: [] } })}\n`;
}
