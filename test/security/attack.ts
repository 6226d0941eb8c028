import type { Finding, Size } from '../faults/finding.ts';
import { KINDS } from './kinds.ts';

/**
 * Runs all kinds of attack as one fault harness.
 * @param first whether to stop at the first kind with a violation
 */
export async function attackEverywhere(size: Size, first = false): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const { name, attack } of KINDS) {
    if (first && findings.some(({ violations }) => violations.length > 0)) break;
    const { tried, violations } = await attack(size);
    findings.push({
      harness: `security, ${name}`,
      unit: 'inputs',
      tried,
      violations: violations.map((violation) => `security, ${name}: ${violation}`),
    });
  }
  return findings;
}
