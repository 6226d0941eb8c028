import { Aws, CfnMapping, Fn, Stack, Token } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { dashboardUrl } from '../functions/aws/console.ts';

/**
 * The address of a dashboard. The host of the console depends on the partition, which may be known only at deployment.
 */
export function dashboardAddress(scope: Construct, dashboardName: string): string {
  const { region } = Stack.of(scope);
  // The name may be a token, which must not be encoded. It consists of letters, digits and "-", which need no encoding.
  if (!Token.isUnresolved(region)) return `${dashboardUrl(region, '')}${dashboardName}`;
  const hosts = new CfnMapping(scope, 'Consoles', {
    mapping: {
      aws: { host: 'console.aws.amazon.com' },
      'aws-cn': { host: 'console.amazonaws.cn' },
      'aws-us-gov': { host: 'console.amazonaws-us-gov.com' },
    },
  });
  const host = Fn.findInMap(hosts.logicalId, Aws.PARTITION, 'host');
  return `https://${host}/cloudwatch/home?region=${region}#dashboards/dashboard/${dashboardName}`;
}
