import { describe, expect, it } from 'vitest';
import { failureOf } from '../../functions/cli/failure.ts';
import { parseStackSettings } from '../../functions/cli/stack.ts';
import { settingsV1 } from '../upgrade/settings-v1.ts';

const DOCUMENT = { projects: { production: { secretName: 'x' } } };

function failureFor(document: unknown) {
  try {
    parseStackSettings(document, 'IntegrationGuard');
    return null;
  } catch (error) {
    return failureOf(error);
  }
}

describe('the settings of a deployed stack', () => {
  it('are read with their defaults', () => {
    expect(parseStackSettings(DOCUMENT, 'IntegrationGuard').projects.production?.policy.flapping).toBe('tell');
  });

  it.each([
    ['a project', DOCUMENT],
    ['a fleet', { fleet: {} }],
  ])('of version 0.1 with %s: the stack has to be deployed again, and no file has to be changed', (_, document) => {
    // The stack of version 0.1 wrote them with all defaults.
    expect(failureFor(settingsV1.parse(document))).toEqual({
      name: 'GuardError',
      message:
        'stack "IntegrationGuard" was deployed with an earlier version of the guard; deploy it again with this version, then run the command again',
      exitCode: 1,
    });
  });

  it('get one line for each other fault', () => {
    expect(failureFor({ projects: { production: { secretName: 'x', shout: true } } })?.message).toBe(
      'stack IntegrationGuard: projects.production: unknown setting "shout"; known settings: secretName, secretArn, secretField, renamedFrom, secretKeyArn, apiUrl, personalData, policy',
    );
  });
});
