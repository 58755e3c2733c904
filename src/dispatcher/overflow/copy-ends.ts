// How far the copies of messages that were moved reach whose originals are settled: what a commit says to the next owner.

/** Of one partition number, for each topic that messages are moved to. */
export class CopyEnds {
  /** Behind the last copy whose original is settled here. */
  private readonly ends = new Map<string, bigint>();
  /** Copies under way whose place is not known: each at or behind its entry. */
  private readonly underWay = new Map<string, bigint[]>();

  /** What stands below `end` was copied by earlier owners. */
  starts(topic: string, end: bigint): void {
    this.ends.set(topic, end);
  }

  /** The original of the copy at that place is settled in this moment. Copies of a topic come in their order. */
  copied(topic: string, offset: bigint): void {
    if (offset >= (this.ends.get(topic) ?? 0n)) this.ends.set(topic, offset + 1n);
  }

  /** A copy will stand somewhere at or behind `end`; to be called once its original is settled, or it is given up. */
  begin(topic: string, end: bigint): () => void {
    const list = this.underWay.get(topic) ?? [];
    this.underWay.set(topic, list);
    list.push(end);
    return () => {
      list.splice(list.indexOf(end), 1);
    };
  }

  /** For each of these topics the offset from which on there may be copies whose originals no commit settles yet. */
  note(topics: readonly string[]): string {
    return topics
      .map((topic) => {
        let from = this.ends.get(topic) ?? 0n;
        for (const end of this.underWay.get(topic) ?? []) if (end < from) from = end;
        return from.toString(36);
      })
      .join('.');
  }
}

/** What an earlier owner's commit says; from the beginning for topics of which it says nothing. */
export function readCopyEnds(note: string, topics: readonly string[]): Map<string, bigint> {
  const parts = note === '' ? [] : note.split('.');
  const ends = new Map<string, bigint>();
  for (const [i, topic] of topics.entries()) {
    const part = parts[i] ?? '';
    ends.set(topic, /^[0-9a-z]{1,12}$/.test(part) ? BigInt(Number.parseInt(part, 36)) : 0n);
  }
  return ends;
}
