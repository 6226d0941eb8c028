import { describe, expectTypeOf, it } from 'vitest';
import type { SettingsInput } from '../../functions/guard/settings/schema.ts';
import type { AlertsProps, IntegrationGuardProps, ProjectProps, SubscriptionProps } from '../../infra/props.ts';

/** A type with all properties read-only, and none that may be `undefined` instead of missing. */
type Plain<T> = T extends string | number | boolean
  ? T
  : T extends readonly (infer Element)[]
    ? readonly Plain<Element>[]
    : { readonly [Key in keyof T]: Plain<Exclude<T[Key], undefined>> };

/** Properties that only a CDK app can set. */
type OfCdk = 'secrets' | 'encryptionKey' | 'ledgerTable' | 'deadLetterQueue' | 'removalPolicy' | 'deployed';

interface PlainAlertsProps extends Omit<AlertsProps, 'topic' | 'alarmsTopic' | 'subscriptions'> {
  readonly subscriptions?: readonly (Omit<SubscriptionProps, 'sqs' | 'lambda'> & {
    readonly sqs?: string;
    readonly lambda?: string;
  })[];
}

interface PlainProps extends Omit<IntegrationGuardProps, OfCdk | 'schedule' | 'alerts'> {
  readonly schedule?: string;
  readonly alerts?: PlainAlertsProps;
}

/** Settings that only the construct writes. */
type WrittenSettings = Omit<SettingsInput, 'projects'> & {
  readonly projects?: Readonly<Record<string, Omit<NonNullable<SettingsInput['projects']>[string], 'secret'>>>;
};

describe('the properties of the construct', () => {
  it('are exactly the settings, except for CDK objects', () => {
    expectTypeOf<Plain<PlainProps>>().toEqualTypeOf<Plain<WrittenSettings>>();
  });

  it('accept every valid settings document', () => {
    expectTypeOf<Plain<WrittenSettings>>().toExtend<IntegrationGuardProps>();
    expectTypeOf<Plain<NonNullable<WrittenSettings['projects']>[string]>>().toExtend<ProjectProps>();
  });
});
