import type { Finding, Size } from '../faults/finding.ts';
import { KINDS } from './kinds.ts';

/** All kinds of attack as one fault harness. */
export async function attackEverywhere(size: Size): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const { name, attack } of KINDS) {
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
