/** The public API of the package, for CDK apps. */

export type {
  Change,
  DeployedChat,
  DeployedGuard,
  DeployedProject,
  DeployedResource,
  DeployedSecret,
  DeployedSettings,
  DeployedSubscription,
} from '../functions/deployed/deployed-guard.ts';
export { SettingsError } from '../functions/guard/errors.ts';
export { VERSION } from '../functions/guard/version.ts';
export { type GuardMetric, IntegrationGuard } from './integration-guard.ts';
export { type LoadedSettings, loadSettings } from './load-settings.ts';
export type {
  AlertsProps,
  BlastRadiusProps,
  FleetPolicyProps,
  FleetProps,
  GuardFleet,
  IntegrationGuardProps,
  LowTrafficProps,
  ManualRecoveryProps,
  MatchProps,
  OverrideProps,
  PagerDutyProps,
  PolicyProps,
  ProbeRecoveryProps,
  ProjectProps,
  ProviderOutageProps,
  QuietHoursProps,
  RecoveryProps,
  SlackChannelProps,
  SubscriptionProps,
  TeamsChannelProps,
  WebhookProps,
} from './props.ts';
export { type ReadDeployedGuardOptions, readDeployedGuard } from './read-deployed-guard.ts';
export { IntegrationGuardStack, type IntegrationGuardStackProps } from './stack.ts';
