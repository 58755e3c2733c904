// How the messages of one write become chunks in one buffer; pure.
import { chunkSize, type EncodableMessage, writeChunk } from './chunk.js';
import type { ChunkPlace } from './log-store.js';

/** A reader holds a whole chunk while one of its messages waits. */
const maxChunkBytes = 131_072;
/** A partition as the writer sees it. */
export interface WritablePartition {
  readonly topicId: number;
  readonly topic: string;
  readonly partition: number;
  /** No caller waits for what is written to it. */
  readonly isAside: boolean;
  /** The offset of the next message. */
  end: number;
}

/** The messages of one write to one partition, in order. */
export type Additions = Map<WritablePartition, { records: EncodableMessage[]; base: number }>;

/** Each message behind the partition's last one, in the order of the appends. */
export function gather(
  appends: readonly { readonly targets: readonly WritablePartition[]; readonly records: readonly EncodableMessage[] }[],
): Additions {
  const additions: Additions = new Map();
  for (const { targets, records } of appends) {
    records.forEach((record, i) => {
      const partition = targets[i] as WritablePartition;
      const added = additions.get(partition);
      if (added === undefined) additions.set(partition, { records: [record], base: partition.end });
      else added.records.push(record);
    });
  }
  return additions;
}

/** What becomes one chunk. */
export interface Part {
  readonly partition: WritablePartition;
  readonly base: number;
  readonly records: readonly EncodableMessage[];
  readonly length: number;
}

export function partsOf(additions: Additions): Part[] {
  const parts: Part[] = [];
  for (const [partition, { records: all, base }] of additions) {
    for (let from = 0; from < all.length; ) {
      const to = chunkEnd(all, from);
      const records = from === 0 && to === all.length ? all : all.slice(from, to);
      parts.push({ partition, base: base + from, records, length: chunkSize(records) });
      from = to;
    }
  }
  return parts;
}

/** Writes the parts one behind the other. */
export function layOut(parts: readonly Part[], bytes: Buffer, timestampMs: number): ChunkPlace[] {
  let start = 0;
  return parts.map(({ partition: { topicId, partition }, base, records, length }) => {
    writeChunk(bytes, start, base, timestampMs, records);
    const place = { topicId, partition, base, count: records.length, timestampMs, start, length };
    start += length;
    return place;
  });
}

function chunkEnd(records: readonly EncodableMessage[], from: number): number {
  let bytes = 0;
  let to = from;
  while (to < records.length && (to === from || bytes + (records[to] as EncodableMessage).size <= maxChunkBytes)) {
    bytes += (records[to] as EncodableMessage).size;
    to += 1;
  }
  return to;
}
