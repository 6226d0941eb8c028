import { createHash } from 'node:crypto';
import { type Audience, MACHINES, PEOPLE } from '../guard/ports.ts';
import type { ChatTopic } from './environment.ts';

/** Every audience of a deployed guard. */
export function audiencesOf(chatTopics: readonly ChatTopic[]): readonly Audience[] {
  return [MACHINES, PEOPLE, ...chatTopics.map(chatAudience)];
}

/**
 * The audience behind a chat channel's topic. The name comes from the topic alone: were it a position in the settings, an alert
 * that waits for a channel would go to another one as soon as a channel is added or removed.
 */
export function chatAudience({ topicArn }: ChatTopic): Audience {
  return `chat-${createHash('sha256').update(topicArn).digest('hex').slice(0, 12)}`;
}
