import type { PublishBatchRequestEntry, PublishCommandInput } from '@aws-sdk/client-sns';

/** The size limit of one Publish or PublishBatch request (AWS service quotas of SNS: 256 KB). */
export const SNS_LIMIT_BYTES = 262_144;

/** The bytes that SNS counts for one message: `Message` with every body, the subject, and the attributes' names, types and values. */
export function snsBytes({
  Message,
  Subject,
  MessageAttributes,
}: Pick<PublishBatchRequestEntry | PublishCommandInput, 'Message' | 'Subject' | 'MessageAttributes'>): number {
  const attributes = Object.entries(MessageAttributes ?? {}).flatMap(([name, { DataType, StringValue }]) => [
    name,
    DataType ?? '',
    StringValue ?? '',
  ]);
  return [Message ?? '', Subject ?? '', ...attributes].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}
