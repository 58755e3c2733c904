// Originals whose copies were found at a takeover: the copies are the messages.

/** Copies of one topic's messages that were found at a takeover. */
export class AdoptedCopies {
  /** Offsets of the originals, which are unsettled and not read yet. */
  private readonly places = new Set<bigint>();
  /** By spill group, the first original of which a copy stands in the overflow. */
  private readonly firsts = new Map<string, bigint>();

  add(offset: bigint, spillGroup: string | null): void {
    this.places.add(offset);
    if (spillGroup === null) return;
    const first = this.firsts.get(spillGroup);
    if (first === undefined || offset < first) this.firsts.set(spillGroup, offset);
  }

  /** True, once, for an original whose copy is the message. */
  take(offset: bigint): boolean {
    return this.places.size > 0 && this.places.delete(offset);
  }

  /** What is below was read, or is not there any more. */
  readUpTo(offset: bigint): void {
    for (const place of this.places) if (place < offset) this.places.delete(place);
  }

  get isEmpty(): boolean {
    return this.places.size === 0;
  }

  /** One of its group that stands before it in the topic stands in the overflow. */
  isBehind(offset: bigint, spillGroup: string): boolean {
    const first = this.firsts.get(spillGroup);
    return first !== undefined && offset > first;
  }
}
