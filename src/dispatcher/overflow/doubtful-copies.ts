// Copies that may exist twice: what was being moved when an owner died, and was moved again by the next.

/** What the owner before a takeover may have been moving, and how far its copies reach. */
export interface DoubtfulZone {
  /** The overflow's end at the takeover: copies of the one who died stand below it. */
  readonly leftEnd: bigint;
  /** Offsets of the topic that was moved from: first, and the one behind the last. */
  readonly first: bigint;
  readonly end: bigint;
}

/** More are merged into one: kills in quick succession while a large overflow is left. */
const maxZones = 4;
const pattern = /^[0-9a-z]{1,12}\.[0-9a-z]{1,12}\.[0-9a-z]{1,12}$/;

/**
 * A copy says where it was taken from. Within a zone there may be two of the same place: one of the owner who died before
 * the original was settled, and one of the next. The first that is read is the message. Memory: the places of a zone.
 */
export class DoubtfulCopies {
  private zones: DoubtfulZone[];
  private readonly seen = new Set<bigint>();

  /** `note` is what an earlier owner's commit says. */
  constructor(note: string) {
    this.zones = note
      .split(',')
      .filter((part) => pattern.test(part))
      .map((part) => {
        const [leftEnd, first, end] = part.split('.').map((text) => BigInt(Number.parseInt(text, 36))) as [
          bigint,
          bigint,
          bigint,
        ];
        return { leftEnd, first, end };
      });
  }

  add(zone: DoubtfulZone): void {
    if (zone.end <= zone.first) return;
    this.zones.push(zone);
    while (this.zones.length > maxZones) {
      const [a, b] = this.zones.splice(0, 2) as [DoubtfulZone, DoubtfulZone];
      const [leftEnd, end] = [a.leftEnd > b.leftEnd ? a.leftEnd : b.leftEnd, a.end > b.end ? a.end : b.end];
      this.zones.unshift({ leftEnd, first: a.first < b.first ? a.first : b.first, end });
    }
  }

  /** True for a copy of a place of which another copy has been read. */
  isRepeat(from: bigint): boolean {
    if (!this.zones.some(({ first, end }) => from >= first && from < end)) return false;
    if (this.seen.has(from)) return true;
    this.seen.add(from);
    return false;
  }

  /** All of the overflow below is settled. */
  settledBelow(mark: bigint): void {
    if (this.zones.length === 0) return;
    this.zones = this.zones.filter(({ leftEnd }) => leftEnd > mark);
    if (this.zones.length === 0) this.seen.clear();
  }

  note(): string {
    return this.zones
      .map(({ leftEnd, first, end }) => [leftEnd, first, end].map((part) => part.toString(36)).join('.'))
      .join(',');
  }
}
