import { type SendMessageBatchCommand, type SendMessageBatchCommandOutput, SQSClient } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { type IncidentMessage, sendIncidents } from '../../functions/aws/incident-queue.ts';
import { CREDENTIALS } from '../support/aws-emulators.ts';
import { silentLog } from '../support/memory-ports.ts';

/** Sending to a queue that refuses some messages, which the emulators never do. */

type Entries = NonNullable<SendMessageBatchCommand['input']['Entries']>;

/** @param isRefused whether the queue refuses an entry at the n-th request; an error is thrown */
function aQueue(isRefused: (id: string, request: number) => boolean | 'senderFault' | Error) {
  const requests: Entries[] = [];
  const client = new SQSClient({ ...CREDENTIALS, maxAttempts: 1 });
  client.middlewareStack.add(
    () => async (args) => {
      const { Entries = [] } = (args as { input: SendMessageBatchCommand['input'] }).input;
      requests.push(Entries);
      const outcomes = Entries.map(({ Id = '' }) => [Id, isRefused(Id, requests.length)] as const);
      for (const [, outcome] of outcomes) if (outcome instanceof Error) throw outcome;
      const output: SendMessageBatchCommandOutput = {
        $metadata: {},
        Successful: outcomes
          .filter(([, outcome]) => outcome === false)
          .map(([Id]) => ({ Id, MessageId: Id, MD5OfMessageBody: '' })),
        Failed: outcomes
          .filter(([, outcome]) => outcome !== false)
          .map(([Id, outcome]) => ({ Id, Code: 'InternalError', SenderFault: outcome === 'senderFault' })),
      };
      return { response: {}, output };
    },
    { step: 'initialize' },
  );
  const send = (messages: readonly IncidentMessage[]) =>
    sendIncidents(client, { queueUrl: 'https://sqs.eu-west-1.amazonaws.com/1/q.fifo' }, messages, silentLog, 1);
  return { send, requests, sent: () => requests.map((entries) => entries.map(({ Id }) => Id)) };
}

const message = (key: string, id: string): IncidentMessage => ({ key, id, body: '{}' });

describe('sending incidents', () => {
  it('names the incident as the group, and the event as the duplicate', async () => {
    const { send, requests } = aQueue(() => false);
    expect(await send([message('production/i1/t', 'e1')])).toEqual(new Set(['e1']));
    expect(requests).toEqual([
      [{ Id: 'e1', MessageBody: '{}', MessageGroupId: 'production/i1/t', MessageDeduplicationId: 'e1' }],
    ]);
  });

  it('sends ten at a time, and never two of one incident in one batch', async () => {
    const { send, sent } = aQueue(() => false);
    const many = Array.from({ length: 12 }, (_, index) => message(`k${index}`, `open${index}`));
    const accepted = await send([...many, message('k0', 'close0'), message('k11', 'close11')]);
    expect(accepted.size).toBe(14);
    expect(sent().map(({ length }) => length)).toEqual([10, 3, 1]);
    for (const entries of sent())
      expect(new Set(entries.map((id) => id?.replace(/\D+/, ''))).size).toBe(entries.length);
    expect(sent().flat().indexOf('close11')).toBeGreaterThan(sent().flat().indexOf('open11'));
  });

  it('sends a refused message again, and reports one that stays refused', async () => {
    const once = aQueue((_, request) => request === 1);
    expect(await once.send([message('k', 'e1')])).toEqual(new Set(['e1']));
    const always = aQueue((id) => id === 'e2');
    expect(await always.send([message('k1', 'e1'), message('k2', 'e2')])).toEqual(new Set(['e1']));
    expect(always.sent()).toEqual([['e1', 'e2'], ['e2'], ['e2']]);
  });

  it('does not repeat a message that is at fault itself', async () => {
    const { send, sent } = aQueue(() => 'senderFault');
    expect(await send([message('k', 'e1')])).toEqual(new Set());
    expect(sent()).toEqual([['e1']]);
  });

  it('sends nothing of an incident behind a message that was refused, so that nothing overtakes it', async () => {
    const { send, sent } = aQueue((id) => id === 'open');
    const accepted = await send([message('k', 'open'), message('k', 'close'), message('other', 'other')]);
    expect(accepted).toEqual(new Set(['other']));
    expect(sent().flat()).not.toContain('close');
  });

  it('keeps what was accepted when a later request fails', async () => {
    const { send } = aQueue((id) => (id === 'close' ? new Error('no access') : false));
    expect(await send([message('k', 'open'), message('k', 'close')])).toEqual(new Set(['open']));
  });
});
