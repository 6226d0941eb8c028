import { describe, expect, it } from 'vitest';
import {
  CREDENTIAL,
  secretIn,
  secretInEndpoint,
  secretInSecretName,
  secretInWebhook,
  WEBHOOK,
} from '../../../functions/guard/settings/misplaced-secret.ts';

const KEY = 'sk_fake_q7Wm2ZrT9xKp4VbN8cYdL3fHs6JgA1eU';
const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('a secret in the settings', () => {
  it.each([
    KEY,
    base64(`${KEY}\n`),
    `qonversion/${base64(KEY)}`,
    Buffer.from(KEY).toString('hex'),
    [...KEY].reverse().join(''),
    'https://hooks.slack.com:443/services/TABCDEFGH/BABCDEFGH/abcdefGHIJklmnopQRSTuvwx',
    'https://hooks.slack.com./services/TABCDEFGH/BABCDEFGH/abcdef',
    'https://discord.com:443/api/webhooks/1234/abcdefghijklmnop',
    'https://example.com/?auth=S3cretS3cretS3',
    'https://example.com/?passwd=hunter2',
    'https://example.com/?userToken=S3cretS3cret',
  ])('is recognised: %s', (text) => {
    expect(secretIn(text)).not.toBeNull();
  });

  it.each(['HTTPS://example.com/8f14e45f-ceea-467a-9a2e-1a2b3c4d5e6f', 'https://example.com/in/aB3dE6gH9jK2mN5pQ8sT'])(
    'is recognised in the address of a subscription: %s',
    (address) => {
      expect(secretInEndpoint(address)).toBe(WEBHOOK);
    },
  );
});

describe('a credential in the place of a secret’s name', () => {
  it.each(['0123456789abcdef0123456789abcdef', 'R0123456789ABCDEFGHIJKLMNOPQRST1', 'Bearer abc', 'GenieKey 12ab'])(
    'is recognised: %s',
    (text) => expect(secretInSecretName(text)).toBe(CREDENTIAL),
  );

  it.each([
    'pagerduty/guard',
    'incident.io/guard-2026',
    'arn:aws:secretsmanager:eu-west-1:123456789012:secret:pagerduty/guard-AbCd12',
  ])('is not seen in the name or the ARN of a secret: %s', (text) => expect(secretInSecretName(text)).toBeNull());
});

describe('the address of a webhook with a header', () => {
  it('may have the ID of an alert source of incident.io', () => {
    const address = 'https://api.incident.io/v2/alert_events/http/01GW2G3V0S59R238FAHPDS1R66';
    expect(secretInWebhook(address)).toBeNull();
    expect(secretInWebhook(`${address}?token=aB3dE6gH9jK2mN5pQ8sT`)).toBe(WEBHOOK);
    expect(secretInEndpoint(address)).toBe(WEBHOOK);
  });
});

describe('an ordinary setting', () => {
  it.each([
    'sk_team',
    'prod/sk_main',
    'qonversion/sk_production',
    'sk-production-eu-central',
    'rk-production-main-001',
    'npm_publish-token-production',
    'hf_mobile-production-apps',
    'dapi-production-eu-west-1',
    'qonversion/SG.singapore-production',
    'https://acme.atlassian.net/wiki/spaces/OPS/pages/123456789/Guard+Runbook',
    'https://example.com/?project_key=OPS',
    'https://example.com/?country_code=de&error_code=guard',
    'https://example.com/hooks/integration-guard-2024',
    'https://example.com/eu-west-1-account-123456789012',
    'https://example.com/mobile-platform-2025/alerts-handler-v100',
  ])('is allowed: %s', (text) => {
    expect(secretIn(text)).toBeNull();
    expect(secretInEndpoint(text)).toBeNull();
  });
});
