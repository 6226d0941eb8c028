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
import type { BundledSettings } from '../functions/aws/runtime.ts';
import { PASS_TIME_LIMIT_SECONDS } from '../functions/guard/model/lease.ts';
import { groupPeople } from '../functions/guard/settings/people.ts';
import type { Settings } from '../functions/guard/settings/schema.ts';
import { VERSION } from '../functions/guard/version.ts';
import type { FunctionName } from './bundle-functions.ts';

export interface GuardFunctionProps {
  readonly description: string;
  readonly entry: FunctionName;
  /** Stored beside the code, where no invocation can change them. */
  readonly settings: Settings;
  readonly environment: { readonly [name: string]: string };
  /** @default 256 */
  readonly memoryMb?: number;
  /** @default the time limit of a pass */
  readonly timeout?: Duration;
  /** Encrypts the logs; null: CloudWatch encrypts them with its own key. */
  readonly encryptionKey: IKey | null;
}

/** Memory of every function. */
export const MEMORY_MB = 256;

/** Creates every function of the guard, with the same runtime, code and logs. */
export function createGuardFunction(scope: Construct, id: string, props: GuardFunctionProps): LambdaFunction {
  const logGroup = new LogGroup(scope, `${id}Logs`, {
    retention: RetentionDays.THREE_MONTHS,
    ...(props.encryptionKey === null ? {} : { encryptionKey: props.encryptionKey }),
    removalPolicy: RemovalPolicy.DESTROY,
  });
  // The usual managed policy would allow a function to write to every log of the account.
  const role = new Role(scope, `${id}Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  logGroup.grantWrite(role);
  return new LambdaFunction(scope, id, {
    role,
    description: props.description,
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    handler: `${props.entry}.handler`,
    code: codeWith(props.settings),
    memorySize: props.memoryMb ?? MEMORY_MB,
    timeout: props.timeout ?? Duration.seconds(PASS_TIME_LIMIT_SECONDS),
    // Scheduler invokes asynchronously. A failed pass has already sent its alert, and the next pass is the better
    // retry.
    retryAttempts: 0,
    environment: { ...props.environment, NODE_OPTIONS: '--enable-source-maps' },
    logGroup,
  });
}

/** The code of all functions and the settings, as one asset. CDK builds it once for all functions. */
function codeWith(settings: Settings): Code {
  return Code.fromAsset(fileURLToPath(new URL('.', import.meta.url)), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      image: DockerImage.fromRegistry('not-used'),
      // CDK identifies the asset by this; it does not read `local`.
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

/** Writes the code of the functions: the bundles, and `settings.json`. */
export function writeCode(folder: string, settings: Settings): void {
  writeFunctions(folder);
  writeFileSync(join(folder, 'settings.json'), settingsText(settings));
}

/**
 * The settings that are stored beside the code. They exclude the subscriptions, because these hold addresses of people and endpoints.
 * The functions need only the groups of people that follow from them.
 */
function settingsText(settings: Settings): string {
  const { subscriptions } = settings.alerts;
  const bundled: BundledSettings = {
    ...settings,
    alerts: { ...settings.alerts, subscriptions: [] },
    people: groupPeople(subscriptions),
  };
  return `${JSON.stringify(bundled)}\n`;
}
