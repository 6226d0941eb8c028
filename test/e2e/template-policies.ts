import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cloud } from './cloud.ts';

/**
 * Accepted findings of checkov in our templates, each with its reason. The test fails for any other finding, and for an accepted one that
 * no longer occurs.
 */
export const ACCEPTED: Readonly<Record<string, string>> = {
  CKV_AWS_27:
    'SQS encrypts the dead-letter queue with its own key. People who may read the queue may read the alerts anyway.',
  CKV_AWS_115:
    'Reserved concurrency would reduce the account’s limit (10 for a new account). Leases in the ledger keep passes apart.',
  CKV_AWS_116:
    'EventBridge Scheduler has a dead-letter queue for failed invocations. People call the panel’s functions.',
  CKV_AWS_117:
    'The functions call only public endpoints. A VPC would need a NAT gateway, whose outage would stop the guard.',
  CKV_AWS_119:
    'The ledger holds no secrets: IDs, titles, counts, and error messages without credentials and personal data. DynamoDB encrypts it.',
  CKV_AWS_173:
    'The environment holds names and addresses. The Secret Key is in Secrets Manager and never in the environment.',
};

interface Report {
  readonly results: {
    readonly failed_checks: readonly {
      readonly check_id: string;
      readonly check_name: string;
      readonly resource: string;
    }[];
  };
}

/** Checkov's findings in a template: the refused ones as sentences, and the IDs of all. */
export async function checkPolicies(
  cloud: Cloud,
  template: string,
): Promise<{ readonly refused: readonly string[]; readonly accepted: ReadonlySet<string> }> {
  const folder = await mkdtemp(join(cloud.folder, 'checkov-'));
  const { code, output } = await cloud.python('checkov', [
    ...['--file', template],
    ...['--framework', 'cloudformation'],
    ...['--output', 'json', '--output-file-path', folder],
    ...['--soft-fail', '--skip-download'],
  ]);
  if (code !== 0) throw new Error(`checkov failed: ${output.slice(-1_000)}`);
  const { results } = JSON.parse(await readFile(join(folder, 'results_json.json'), 'utf8')) as Report;
  return {
    refused: results.failed_checks
      .filter(({ check_id }) => !(check_id in ACCEPTED))
      .map(({ check_id, check_name, resource }) => `${check_id} ${check_name}: ${resource}`),
    accepted: new Set(results.failed_checks.map(({ check_id }) => check_id)),
  };
}
