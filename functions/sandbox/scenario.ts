import type { World } from './world.ts';

/** A dozen integrations of an app one might know, with their traffic. */
export const CAST = [
  { id: 'amp-ios', title: 'Amplitude — Production iOS', provider: 'amplitude', platform: 'iOS', eventsPerMinute: 6 },
  {
    id: 'amp-android',
    title: 'Amplitude — Production Android',
    provider: 'amplitude',
    platform: 'Android',
    eventsPerMinute: 5,
  },
  { id: 'af-ios', title: 'AppsFlyer iOS', provider: 'appsflyer', platform: 'iOS', eventsPerMinute: 4 },
  { id: 'af-android', title: 'AppsFlyer Android', provider: 'appsflyer', platform: 'Android', eventsPerMinute: 4 },
  { id: 'hook-crm', title: 'CRM webhook', provider: 'webhooks', platform: 'iOS', eventsPerMinute: 3 },
  { id: 'hook-billing', title: 'Billing webhook', provider: 'webhooks', platform: 'Stripe', eventsPerMinute: 3 },
  { id: 'mix-ios', title: 'Mixpanel growth team', provider: 'mixpanel', platform: 'iOS', eventsPerMinute: 4 },
  { id: 'seg-stripe', title: 'Segment web payments', provider: 'segment', platform: 'Stripe', eventsPerMinute: 3 },
  { id: 'braze-ios', title: 'Braze campaigns', provider: 'braze', platform: 'iOS', eventsPerMinute: 4 },
  { id: 'slack-wins', title: 'Slack #wins', provider: 'slack', platform: 'iOS', eventsPerMinute: 2 },
  {
    id: 'bq-export',
    title: 'Warehouse export',
    provider: 'google_cloud_storage',
    platform: 'Android',
    eventsPerMinute: 3,
  },
  {
    id: 'ph-staging',
    title: 'PostHog staging (draft)',
    provider: 'posthog',
    platform: 'iOS',
    eventsPerMinute: 1,
    active: 0,
  },
] as const;

export type CastId = (typeof CAST)[number]['id'];

export function populate(world: World): void {
  for (const member of CAST) world.add({ active: 1, ...member });
}
