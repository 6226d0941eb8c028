import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cloud } from './cloud.ts';

/**
 * Findings of checkov about our templates that stay, each with its reason. A finding that is not here fails the test, and so does
 * one that is here and does not come up any more.
 */
export const ACCEPTED: Readonly<Record<string, string>> = {
  CKV_AWS_27:
    'The dead-letter queue is encrypted with SQS’s own key. Whoever may read the queue may read the alerts anyway.',
  CKV_AWS_115:
    'A reserved concurrency would take from the account’s limit, 10 for a new one. Passes exclude each other by leases in the ledger.',
  CKV_AWS_116:
    'EventBridge Scheduler has its own dead-letter queue for an invocation that failed. The panel’s functions are called by people.',
  CKV_AWS_117:
    'The functions call public endpoints alone. A VPC would need a NAT gateway, and its outage would be one more that stops the guard.',
  CKV_AWS_119:
    'The ledger holds no secret: ids, titles, counts, error messages with credentials and personal data removed. DynamoDB encrypts it.',
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

/** What checkov finds wrong with a template and nobody accepted, a sentence each; and which of the accepted findings it has. */
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
  if (code !== 0) throw new Error(`checkov did not come to its end: ${output.slice(-1_000)}`);
  const { results } = JSON.parse(await readFile(join(folder, 'results_json.json'), 'utf8')) as Report;
  return {
    refused: results.failed_checks
      .filter(({ check_id }) => !(check_id in ACCEPTED))
      .map(({ check_id, check_name, resource }) => `${check_id} ${check_name}: ${resource}`),
    accepted: new Set(results.failed_checks.map(({ check_id }) => check_id)),
  };
}
