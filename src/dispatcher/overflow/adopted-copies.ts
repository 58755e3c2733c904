// Originals whose copies were found at a takeover: the copies are the messages.

/** Copies of one topic's messages that were found at a takeover. */
export class AdoptedCopies {
  /** Offsets of the originals, which are unsettled and not read yet. */
  private readonly places = new Set<bigint>();
  /** By lane, the first original of which a copy stands in the overflow. */
  private readonly firsts = new Map<string, bigint>();

  /** Up to where each topic was looked through for copies; what stands behind was copied after the partition had gone. */
  readonly lookedThrough = new Map<string, bigint>();

  /** `lane`: its copy stands in the overflow; null for one that nothing waits for. */
  add(offset: bigint, lane: string | null, isDone: boolean): void {
    if (!isDone) this.places.add(offset);
    if (lane === null) return;
    const first = this.firsts.get(lane);
    if (first === undefined || offset < first) this.firsts.set(lane, offset);
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

  /**
   * True for a message behind one of its lane that stands in the overflow now, false for one before it: of a lane the last
   * ones are moved, in order. Null when none of its lane was found.
   */
  isBehind(offset: bigint, lane: string | null): boolean | null {
    const first = lane === null ? undefined : this.firsts.get(lane);
    return first === undefined ? null : offset > first;
  }
}
