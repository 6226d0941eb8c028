import { createHash } from 'node:crypto';
import { type Audience, MACHINES, PEOPLE } from '../guard/ports.ts';
import { DIGEST, type PeopleGroup } from '../guard/settings/people.ts';
import type { ChatTopic, IncidentTool } from './environment.ts';

/** Every audience of a deployed guard. */
export function audiencesOf({
  people,
  chatTopics,
  incidentTools,
}: {
  readonly people: readonly PeopleGroup[];
  readonly chatTopics: readonly ChatTopic[];
  readonly incidentTools: readonly IncidentTool[];
}): readonly Audience[] {
  return [
    MACHINES,
    ...people.map(peopleAudience),
    ...chatTopics.map(chatAudience),
    ...incidentTools.map(incidentAudience),
  ];
}

export function peopleAudience({ kind }: Pick<PeopleGroup, 'kind'>): Audience {
  return kind === DIGEST ? PEOPLE : kind;
}

/**
 * The audience of a chat channel's topic. The name depends on the topic alone. If it depended on the position in the
 * settings, a pending alert would go to the wrong channel after a channel is added or removed.
 */
export function chatAudience({ topicArn }: ChatTopic): Audience {
  return `chat-${hashOf(topicArn)}`;
}

/** The audience of an incident tool. The name depends on its queue alone, for the same reason. */
export function incidentAudience({ queueUrl }: IncidentTool): Audience {
  return `incident-${hashOf(queueUrl)}`;
}

function hashOf(address: string): string {
  return createHash('sha256').update(address).digest('hex').slice(0, 12);
}
