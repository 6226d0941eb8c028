/** `GET /integrations/meta`: provider slugs by category, with the store platforms each supports. Source: the v4 reference. */

export type TargetPlatform = 'iOS' | 'Android' | 'Stripe';

export interface Provider {
  readonly slug: string;
  readonly title: string;
  readonly platforms: readonly TargetPlatform[];
}

const ALL = ['iOS', 'Android', 'Stripe'] as const;
const MOBILE = ['iOS', 'Android'] as const;

const provider = (slug: string, title: string, platforms: readonly TargetPlatform[] = ALL): Provider => ({
  slug,
  title,
  platforms,
});

export const CATALOG = {
  analytics: [
    provider('amplitude', 'Amplitude'),
    provider('appmetrica', 'AppMetrica', MOBILE),
    provider('facebook', 'Facebook Ads', MOBILE),
    provider('firebase', 'Firebase', MOBILE),
    provider('mixpanel', 'Mixpanel'),
    provider('posthog', 'PostHog'),
    provider('segment', 'Segment'),
  ],
  attribution: [
    provider('searchads', 'Apple Search Ads', ['iOS']),
    provider('adjust', 'Adjust', MOBILE),
    provider('appsflyer', 'AppsFlyer', MOBILE),
    provider('branch', 'Branch', MOBILE),
    provider('kochava', 'Kochava', MOBILE),
    provider('singular', 'Singular', MOBILE),
    provider('split_metrics', 'SplitMetrics', ['iOS']),
    provider('asapty', 'Asapty', ['iOS']),
    provider('tenjin', 'Tenjin', MOBILE),
  ],
  data: [
    provider('amazon_s3', 'Amazon S3'),
    provider('google_cloud_storage', 'Google Cloud Storage'),
    provider('slack', 'Slack'),
    provider('webhooks', 'Webhooks'),
  ],
  engagement: [
    provider('braze', 'Braze'),
    provider('clevertap', 'CleverTap'),
    provider('mailchimp', 'Mailchimp'),
    provider('onesignal', 'OneSignal', MOBILE),
    provider('pushwoosh', 'Pushwoosh', MOBILE),
  ],
} as const satisfies Record<string, readonly Provider[]>;

const PROVIDERS: ReadonlyMap<string, Provider> = new Map(
  Object.values(CATALOG)
    .flat()
    .map((entry) => [entry.slug, entry]),
);

export function findProvider(slug: string): Provider | undefined {
  return PROVIDERS.get(slug);
}
