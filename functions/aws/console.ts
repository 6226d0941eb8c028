/** Where a dashboard is to be seen. The console's host depends on the partition, and its region on the region. */
export function dashboardUrl(region: string, name: string): string {
  const host = region.startsWith('cn-')
    ? 'console.amazonaws.cn'
    : region.startsWith('us-gov-')
      ? 'console.amazonaws-us-gov.com'
      : `${region}.console.aws.amazon.com`;
  return `https://${host}/cloudwatch/home?region=${region}#dashboards/dashboard/${encodeURIComponent(name)}`;
}

/** The region an ARN names. */
export function regionOf(arn: string): string {
  return arn.split(':')[3] ?? '';
}
