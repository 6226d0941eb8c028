import { PROJECT_TAG } from '../functions/guard/settings/fleet.ts';
import { RUN } from '../functions/guard/settings/people.ts';
import type { FleetSettings } from '../functions/guard/settings/schema.ts';

/**
 * The state machine of a run over the fleet, in Amazon States Language. It reads the tagged secrets page by page, then
 * runs a pass for each. It carries names only, never keys or policies. States that compute use JSONata. The map and the
 * machine use JSONPath, because a machine in JSONPath can run without an account.
 */

/** Step Functions allows 256 KiB in a state's result. A secret's description and 50 tags may take 15 kB. */
const SECRETS_A_PAGE = 50;

/**
 * The machine collects names up to this many characters, runs their passes, and then reads more: a variable and a map's
 * items may take 256 KiB. This is enough for about 5,000 projects with names of 25 characters.
 */
const COLLECTED_CHARACTERS = 200_000;

/** A run that takes longer is stuck. */
const RUN_TIME_LIMIT_SECONDS = 3_600;

/** Alerts that are older than this were left by a run that did not reach its end. */
const LEFT_AFTER_MINUTES = 15;

/** Part of the ARNs of the passes' executions. */
const PASSES_LABEL = 'Passes';

/** Faults of Lambda itself, such as no concurrency left in the account. */
const LAMBDA_FAULTS = [
  'Lambda.ClientExecutionTimeoutException',
  'Lambda.ServiceException',
  'Lambda.AWSLambdaException',
  'Lambda.SdkClientException',
  'Lambda.TooManyRequestsException',
];

export interface FleetFunctions {
  /** Takes {"project": NAME}. */
  readonly passFunctionArn: string;
  /** Takes {"release": "run"}, and "projects" or "olderThanMinutes". */
  readonly digestFunctionArn: string;
  /** "aws", "aws-cn" or "aws-us-gov". */
  readonly partition: string;
}

export function describeFleetMachine(
  { secretNamePrefix, concurrency }: FleetSettings,
  { passFunctionArn, digestFunctionArn, partition }: FleetFunctions,
): Readonly<Record<string, unknown>> {
  const sendDigests = (payload: unknown) => ({
    Type: 'Task',
    ...JSONATA,
    Resource: `arn:${partition}:states:::lambda:invoke`,
    Arguments: { FunctionName: digestFunctionArn, Payload: payload },
    Output: {},
  });
  return {
    Comment: 'A run of Integration Guard over the fleet: a pass for every secret with the tag',
    TimeoutSeconds: RUN_TIME_LIMIT_SECONDS,
    StartAt: 'Begin',
    States: {
      Begin: {
        Type: 'Pass',
        ...JSONATA,
        Assign: { token: null, projects: [], passed: 0 },
        Next: 'Send what an earlier run left',
      },
      // A run that failed or timed out has alerts that no one has received. Younger ones belong to a run that has not ended yet. A failure
      // must neither stop nor delay this run.
      'Send what an earlier run left': {
        ...sendDigests({ release: RUN, olderThanMinutes: LEFT_AFTER_MINUTES }),
        Catch: [{ ErrorEquals: ['States.ALL'], Output: {}, Next: 'Begin a round' }],
        Next: 'Begin a round',
      },
      'Begin a round': {
        Type: 'Pass',
        ...JSONATA,
        Assign: { passed: jsonata('$passed + $count($projects)'), projects: [] },
        Next: 'Read a page of secrets',
      },
      'Read a page of secrets': {
        Type: 'Task',
        ...JSONATA,
        Resource: `arn:${partition}:states:::aws-sdk:secretsmanager:listSecrets`,
        Arguments: jsonata(`{
          'Filters': [{'Key': 'tag-key', 'Values': ['${PROJECT_TAG}']}],
          'MaxResults': ${SECRETS_A_PAGE},
          'NextToken': $token != null ? $token
        }`),
        Assign: {
          // The filter matches by prefix, so it also finds longer tags.
          projects: jsonata(`[$append($projects, $states.result.SecretList[
            '${PROJECT_TAG}' in Tags.Key and $substring(Name, 0, ${secretNamePrefix.length}) = '${secretNamePrefix}'
          ].{'project': $substring(Name, ${secretNamePrefix.length})})]`),
          token: jsonata(`$exists($states.result.NextToken) ? $states.result.NextToken : null`),
        },
        Output: {},
        Retry: [retry(['States.ALL'], 4)],
        Next: 'Enough for a round?',
      },
      'Enough for a round?': {
        Type: 'Choice',
        ...JSONATA,
        Choices: [
          {
            Condition: jsonata(`$token != null and $length($string($projects)) < ${COLLECTED_CHARACTERS}`),
            Next: 'Read a page of secrets',
          },
          {
            Condition: jsonata('$count($projects) > 0'),
            Output: { projects: jsonata('$projects') },
            Next: 'Run the passes',
          },
          { Condition: jsonata('$passed > 0'), Next: 'Send the digests' },
        ],
        Default: 'No project',
      },
      // A fleet without any tag is unguarded, so the run must not look successful.
      'No project': {
        Type: 'Fail',
        Error: 'NoProject',
        Cause: `No secret has the tag ${PROJECT_TAG} and a name that begins with "${secretNamePrefix}", so the guard guards nothing.`,
      },
      'Run the passes': {
        Type: 'Map',
        Label: PASSES_LABEL,
        ItemsPath: '$.projects',
        MaxConcurrency: concurrency,
        // The failure of one project does not affect the others.
        ToleratedFailurePercentage: 100,
        ItemProcessor: {
          ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'EXPRESS' },
          StartAt: 'Run a pass',
          States: {
            'Run a pass': {
              Type: 'Task',
              ...JSONATA,
              Resource: `arn:${partition}:states:::lambda:invoke`,
              Arguments: { FunctionName: passFunctionArn, Payload: jsonata('$states.input') },
              Output: jsonata('$states.result.Payload'),
              Retry: [retry(LAMBDA_FAULTS, 6)],
              Next: 'Did it run?',
            },
            'Did it run?': {
              Type: 'Choice',
              ...JSONATA,
              Choices: [
                { Condition: jsonata(`$type($states.input.failure) = 'string'`), Next: 'Not guarded, and announced' },
              ],
              Default: 'Guarded',
            },
            // The map run counts it as failed.
            'Not guarded, and announced': {
              Type: 'Fail',
              ...JSONATA,
              Error: 'PassFailed',
              Cause: jsonata('$states.input.failure'),
            },
            // All results together may take 256 KiB, so each result is empty.
            Guarded: { Type: 'Succeed', ...JSONATA, Output: {} },
          },
        },
        ResultPath: null,
        OutputPath: null,
        Next: 'More secrets?',
      },
      'More secrets?': {
        Type: 'Choice',
        ...JSONATA,
        Choices: [{ Condition: jsonata('$token != null'), Next: 'Begin a round' }],
        Default: 'Send the digests',
      },
      // One message for each audience, with the alerts of all passes. If they cannot be sent, the run fails and an alarm fires.
      'Send the digests': {
        ...sendDigests({ release: RUN, projects: jsonata('$passed + $count($projects)') }),
        // Long enough for the lease of a function that died.
        Retry: [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 45, BackoffRate: 1.5, MaxAttempts: 3 }],
        End: true,
      },
    },
  };
}

const JSONATA = { QueryLanguage: 'JSONata' };

function jsonata(expression: string): string {
  return `{% ${expression.replace(/\s+/g, ' ').trim()} %}`;
}

function retry(errors: readonly string[], attempts: number) {
  return { ErrorEquals: errors, IntervalSeconds: 2, BackoffRate: 2, MaxAttempts: attempts, JitterStrategy: 'FULL' };
}
