import { PROJECT_TAG } from '../functions/guard/settings/fleet.ts';
import type { FleetSettings } from '../functions/guard/settings/schema.ts';

/**
 * The state machine of a run over the fleet, in Amazon States Language: reads the tagged secrets page by page, then runs a
 * pass for each. What it carries is names; keys and policies it never sees. States that compute are in JSONata; the map is in
 * JSONPath, as is the machine, since that is what can be run without an account.
 */

/** Step Functions takes 256 KiB in a state's result, and a secret's description and 50 tags may take 15 kB. */
const SECRETS_A_PAGE = 50;

/**
 * Names are collected until they take so many characters, then passes run over those before more are read: a variable and a
 * map's items may take 256 KiB. That is some 5,000 projects with names of 25 characters.
 */
const COLLECTED_CHARACTERS = 200_000;

/** A run that takes longer is stuck. */
const RUN_TIME_LIMIT_SECONDS = 3_600;

/** In the ARNs of the passes' executions. */
const PASSES_LABEL = 'Passes';

/** What Lambda may answer in place of the function, among it that the account has no concurrency left. */
const LAMBDA_FAULTS = [
  'Lambda.ClientExecutionTimeoutException',
  'Lambda.ServiceException',
  'Lambda.AWSLambdaException',
  'Lambda.SdkClientException',
  'Lambda.TooManyRequestsException',
];

/**
 * @param passFunctionArn takes {"project": NAME}
 * @param partition "aws", "aws-cn" or "aws-us-gov"
 */
export function describeFleetMachine(
  { secretNamePrefix, concurrency }: FleetSettings,
  passFunctionArn: string,
  partition: string,
): Readonly<Record<string, unknown>> {
  return {
    Comment: 'A run of Integration Guard over the fleet: a pass for every secret with the tag',
    TimeoutSeconds: RUN_TIME_LIMIT_SECONDS,
    StartAt: 'Begin',
    States: {
      Begin: { Type: 'Pass', ...JSONATA, Assign: { token: null, projects: [], passed: 0 }, Next: 'Begin a round' },
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
          // The filter finds every tag that begins like ours.
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
          { Condition: jsonata('$passed > 0'), Next: 'Done' },
        ],
        Default: 'No project',
      },
      // A fleet that has lost all its tags is guarded by nobody: that must not look like a run that went well.
      'No project': {
        Type: 'Fail',
        Error: 'NoProject',
        Cause: `No secret has the tag ${PROJECT_TAG} and a name that begins with "${secretNamePrefix}", so nothing is guarded.`,
      },
      'Run the passes': {
        Type: 'Map',
        Label: PASSES_LABEL,
        ItemsPath: '$.projects',
        MaxConcurrency: concurrency,
        // One project's failure is nobody else's business.
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
            // So that the map run counts it.
            'Not guarded, and announced': {
              Type: 'Fail',
              ...JSONATA,
              Error: 'PassFailed',
              Cause: jsonata('$states.input.failure'),
            },
            // All results together may take 256 KiB, so there are none.
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
        Default: 'Done',
      },
      Done: { Type: 'Succeed' },
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
