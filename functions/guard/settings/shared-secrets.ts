import { showName } from './fault.ts';

/** A project's secret, by name, ARN or CDK token. */
export interface SecretUse {
  readonly project: string;
  readonly secret: string;
  /** The field with the project's key; undefined: the secret's value is the key. */
  readonly field: string | undefined;
}

/** A fault of a project that shares its secret. */
export interface SharedSecretFault {
  readonly project: string;
  readonly at: 'secret' | 'secretField';
  /** Completes "expected …". */
  readonly message: string;
  /** The value at fault; undefined: it is missing. */
  readonly input: string | undefined;
}

const ONE_KEY = 'has this one, and each project has one Secret Key';

/** Finds projects without a place of their own for the key. Projects may share a secret if each has a field of its own. */
export function findSharedSecretFaults(uses: readonly SecretUse[]): readonly SharedSecretFault[] {
  const faults: SharedSecretFault[] = [];
  uses.forEach(({ project, secret, field }, index) => {
    const sharers = uses.slice(0, index).filter((other) => other.secret === secret);
    const [first] = sharers;
    if (first === undefined) return;
    const twin = sharers.find((other) => other.field === field);
    if (twin !== undefined) {
      const owner = `(projects.${showName(twin.project)} ${ONE_KEY})`;
      faults.push(
        field === undefined
          ? { project, at: 'secret', message: `a secret or a secretField of its own ${owner}`, input: secret }
          : { project, at: 'secretField', message: `a field of its own ${owner}`, input: field },
      );
      return;
    }
    const bare = field === undefined ? { project, other: first.project } : bareAmong(sharers, project);
    if (bare === null || faults.some((fault) => fault.project === bare.project && fault.at === 'secretField')) return;
    const message = `a field of the secret, because projects.${showName(bare.other)} has the same secret`;
    faults.push({ project: bare.project, at: 'secretField', message, input: undefined });
  });
  return faults;
}

/** The sharer without a field. */
function bareAmong(sharers: readonly SecretUse[], other: string) {
  const bare = sharers.find(({ field }) => field === undefined);
  return bare === undefined ? null : { project: bare.project, other };
}
