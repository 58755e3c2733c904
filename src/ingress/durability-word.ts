// What `bigpipe-durability` says on the newer doors.

export const durabilityHeader = 'bigpipe-durability';

/** fsync: on a synced disk. replicated: all replicas in step have it. leader: one has. The others say what they say. */
export const durabilityWords = ['fsync', 'replicated', 'leader', 'page-cache', 'memory', 'none'] as const;
type DurabilityWord = (typeof durabilityWords)[number];

const words: Readonly<Record<string, DurabilityWord>> = { disk: 'fsync', replicas: 'replicated' };

/** From the producer's word. */
export function durabilityWord(durability: string): string {
  return words[durability] ?? durability;
}
