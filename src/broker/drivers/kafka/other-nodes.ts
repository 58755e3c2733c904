// Which other processes read for a group, and where they are reached: told when they joined, asked of the coordinator.
import type { GroupNode } from '../../broker.js';
import type { KafkaLink } from './kafka-link.js';
import { decodeClaim, decodeShare } from './sharing.js';

/** Rejects with whatever Kafka says, and while the members are sharing out anew: then Kafka does not tell what they said. */
export async function otherNodes(link: KafkaLink, group: string, own: string): Promise<readonly GroupNode[]> {
  const coordinator = await link.coordinatorOf(group).catch((error: unknown) => {
    link.forgetCoordinator(group);
    throw error;
  });
  const { groups } = await coordinator.describeGroups({ groupIds: [group] }).catch((error: unknown) => {
    link.forgetCoordinator(group);
    throw error;
  });
  const described = groups[0];
  if (described?.state !== 'Stable') throw new Error(`its members are changing (${described?.state ?? 'unknown'})`);
  const nodes = new Map<string, GroupNode>();
  for (const { memberId, memberMetadata, memberAssignment } of described.members) {
    const { node } = decodeClaim(memberId, memberMetadata);
    if (node === null || node.id === own) continue;
    const owned = Object.values(decodeShare(memberAssignment).partitions).reduce((sum, { length }) => sum + length, 0);
    nodes.set(node.id, { ...node, partitions: owned + (nodes.get(node.id)?.partitions ?? 0) });
  }
  return [...nodes.values()];
}
