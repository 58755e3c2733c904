// Which messages of a partition are settled, and what a commit must say so that a restart repeats only the others.
import { ReleasingMap } from '../../message/releasing-map.js';

/*
 * Metadata: "2:", then how far messages had been handed out, then ":", then what is settled above the mark,
 * then, if something stands in the overflow, ";", the distance to the first offset that follows it there, ":", and whose
 * messages those are (SpillTable); then "~" and how far what was moved reaches whose originals are settled (CopyEnds).
 * Handed out: a letter for why they may come again (c crash, r rebalance) and the distance from the committed offset in base 36.
 * Settled: lengths in base 36, separated by dots: unsettled, settled, unsettled, settled …, from the committed offset on.
 * "2:c4:1.3" says: four had been handed out; the first is open, the three behind it are done.
 */
const pattern = /^2:(?:([cr])([0-9a-z]{1,10}))?:([0-9a-z.]*)(?:;([0-9a-z]{1,10}):([0-9a-z.,*!]+))?(?:~([0-9a-z.,]+))?$/;
const letters = { crash: 'c', rebalance: 'r' } as const;

/** Why messages below a hand-out mark may come again. */
export type HandOutCause = keyof typeof letters;

/** Messages below `end` may have been sent by an earlier owner of the partition. */
export interface HandOut {
  readonly end: bigint;
  readonly cause: HandOutCause;
}

/** The settled offsets above the mark: [first, end) pairs, ascending, apart from one another. */
export type SettledRanges = readonly (readonly [first: bigint, end: bigint])[];

export interface CommitNote {
  readonly handOut: HandOut | null;
  readonly settled: SettledRanges;
  /** Empty when nothing stands in the overflow. */
  readonly spilled: string;
  /** CopyEnds.note; empty when nothing is said. */
  readonly copies: string;
  /** Unsettled messages from here on come after those in the overflow, the ones below it were held before them; null where nothing is said of it. */
  readonly followFrom: bigint | null;
}

/** What a commit says of messages that were moved. */
export interface MovedNote {
  /** SpillTable.note. */
  readonly spilled: string;
  /** CopyEnds.note. */
  readonly copies: string;
  /** The first offset that is being moved behind others of its lane; null for none. */
  readonly followFrom: bigint | null;
}

const nothingMoved: MovedNote = { spilled: '', copies: '', followFrom: null };

/** Whatever was there may have been handed out, and may stand in the overflow. */
const unreadable = {
  handOut: { end: 2n ** 62n, cause: 'crash' },
  settled: [],
  spilled: '*',
  // From the beginning.
  copies: '0',
} as const;
const nothing = { handOut: null, settled: [], spilled: '', copies: '' };

/** Foreign or damaged metadata reads as "nothing is settled, all may have been sent": repeats are allowed, losses are not. */
export function readMetadata(mark: bigint, metadata: string): CommitNote {
  if (metadata === '') return { ...nothing, followFrom: null };
  const parts = pattern.exec(metadata);
  if (parts === null) return { ...unreadable, followFrom: null };
  const [, letter, distance, lengths, follow, spilled = '', copies = ''] = parts;
  const followFrom = follow === undefined ? null : mark + BigInt(Number.parseInt(follow, 36));
  const settled = lengths === undefined || lengths === '' ? [] : readRanges(mark, lengths.split('.'));
  if (settled === null) return { ...unreadable, followFrom: null };
  if (distance === undefined) return { handOut: null, settled, spilled, copies, followFrom };
  const end = mark + BigInt(Number.parseInt(distance, 36));
  const cause = letter === letters.crash ? 'crash' : 'rebalance';
  return { handOut: { end, cause }, settled, spilled, copies, followFrom };
}

/** The same in at most so many bytes: ranges far from the mark are left out, and would be repeated. */
export function shortenedNote(mark: bigint, metadata: string, maxBytes: number): string {
  if (metadata.length <= maxBytes) return metadata;
  const { handOut, spilled, copies, followFrom } = readMetadata(mark, metadata);
  const tracker = new OffsetTracker<never>(mark, metadata, handOut?.end ?? mark);
  return tracker.metadata(maxBytes, null, { spilled, copies, followFrom });
}

/**
 * From where on unsettled messages come after those in the overflow: what the earlier owner said, or else what it cannot have
 * had in a window. `end`: the partition's end at the takeover.
 */
export function followFromOf({ followFrom, handOut }: CommitNote, mark: bigint, end: bigint): bigint {
  if (followFrom !== null) return followFrom;
  const read = handOut?.end ?? mark;
  return read < end ? read : end;
}

function readRanges(mark: bigint, lengths: readonly string[]): SettledRanges | null {
  const ranges: [bigint, bigint][] = [];
  let position = mark;
  for (const [i, text] of lengths.entries()) {
    if (!/^[0-9a-z]{1,10}$/.test(text)) return null;
    const end = position + BigInt(Number.parseInt(text, 36));
    if (i % 2 === 1) ranges.push([position, end]);
    position = end;
  }
  return ranges;
}

/**
 * What to commit at `from` so that only [from, to) comes again: what the mark and its metadata say is settled stays so.
 * Ranges that do not fit come again too. Null while messages stand in the overflow, which would lose their place.
 */
export function replayMetadata(
  { from, to }: { readonly from: bigint; readonly to: bigint },
  { offset: mark, metadata }: { readonly offset: bigint; readonly metadata: string },
  maxBytes: number,
): string | null {
  const { settled, spilled, copies } = readMetadata(mark, metadata);
  if (spilled !== '') return null;
  const head = `2:${letters.rebalance}${(to - from).toString(36)}:`;
  const tail = copies === '' ? '' : `~${copies}`;
  const lengths = [(to - from).toString(36), (mark - to).toString(36)];
  let position = mark;
  for (const [first, end] of settled) {
    const next = [...lengths, (first - position).toString(36), (end - first).toString(36)];
    if (head.length + next.join('.').length + tail.length > maxBytes) break;
    lengths.splice(0, lengths.length, ...next);
    position = end;
  }
  return head + lengths.join('.') + tail;
}

/** Offsets are taken in ascending order and settled in any. Memory: one entry for each unsettled offset, and what is kept with it. */
export class OffsetTracker<T> {
  /** In insertion order, which is ascending. */
  private readonly unsettled = new ReleasingMap<bigint, T | undefined>();
  /** What an earlier owner had settled above its mark, not yet passed. */
  private restored: (readonly [bigint, bigint])[];
  private readonly earlier: HandOut | null;
  /** How it was when this tracker began. */
  private readonly start: { readonly mark: bigint; readonly settled: SettledRanges; readonly followFrom: bigint };

  /** `end`: behind the last message that an earlier owner can have read. */
  constructor(
    private nextOffset: bigint,
    metadata: string,
    end: bigint,
  ) {
    const note = readMetadata(nextOffset, metadata);
    const { settled, handOut } = note;
    this.restored = [...settled];
    this.earlier = handOut;
    this.start = { mark: nextOffset, settled, followFrom: followFromOf(note, nextOffset, end) };
  }

  /** True for what was settled before this tracker began. */
  wasSettledBefore(offset: bigint): boolean {
    const { mark, settled } = this.start;
    return offset < mark || settled.some(([first, end]) => offset >= first && offset < end);
  }

  /** The next offset to be taken. */
  get next(): bigint {
    return this.nextOffset;
  }

  /** False for an offset that was settled before this tracker began. */
  take(offset: bigint): boolean {
    this.nextOffset = offset + 1n;
    while (this.restored[0] !== undefined && this.restored[0][1] <= offset) this.restored.shift();
    const first = this.restored[0];
    if (first !== undefined && offset >= first[0]) return false;
    this.unsettled.set(offset, undefined);
    return true;
  }

  /** Why an earlier owner may have sent it already; null when it has not. */
  handedOutBefore(offset: bigint): HandOutCause | null {
    return this.earlier !== null && offset < this.earlier.end ? this.earlier.cause : null;
  }

  /** Keeps `item` with an unsettled offset. */
  keep(offset: bigint, item: T): void {
    this.unsettled.set(offset, item);
  }

  /** What is kept with an unsettled offset; undefined for a settled one. */
  at(offset: bigint): T | undefined {
    return this.unsettled.get(offset);
  }

  items(): Iterable<T | undefined> {
    return this.unsettled.values();
  }

  /** Offsets below `offset` that were not taken hold nothing. */
  skipTo(offset: bigint): void {
    if (offset > this.nextOffset) this.nextOffset = offset;
  }

  settle(offset: bigint): void {
    this.unsettled.delete(offset);
  }

  get open(): number {
    return this.unsettled.size;
  }

  isOpen(offset: bigint): boolean {
    return this.unsettled.has(offset);
  }

  /** Everything below it is settled. */
  get mark(): bigint {
    const [first] = this.unsettled.keys();
    if (first !== undefined) return first;
    const [ahead] = this.restored;
    const { nextOffset } = this;
    return ahead !== undefined && ahead[0] <= nextOffset && ahead[1] > nextOffset ? ahead[1] : nextOffset;
  }

  /**
   * What to commit when messages below `handOut.end` have been, or may be, handed out. Of more ranges than fit, those nearest to the mark are named; the others would be repeated.
   */
  metadata(maxBytes: number, handOut: HandOut | null, moved: MovedNote = nothingMoved): string {
    const { mark } = this;
    const head = `2:${shownHandOut(mark, this.outermost(handOut))}:`;
    const { spilled, copies, followFrom } = moved;
    const follow = spilled === '' ? '' : `;${(this.followFrom(followFrom) - mark).toString(36)}:${spilled}`;
    const tail = follow + (copies === '' ? '' : `~${copies}`);
    const lengths: string[] = [];
    let room = maxBytes - head.length - tail.length;
    // What does not fit is not passed over in silence: whoever reads this lets everything follow, and looks for all copies.
    if (room < 0) return fewestWords(head, maxBytes);
    let position = mark;
    for (const [first, end] of this.settledAboveMark(mark)) {
      const pair = `${(first - position).toString(36)}.${(end - first).toString(36)}`;
      room -= pair.length + (lengths.length === 0 ? 0 : 1);
      if (room < 0) break;
      lengths.push(pair);
      position = end;
    }
    return head === '2::' && lengths.length === 0 && tail === '' ? '' : head + lengths.join('.') + tail;
  }

  /** What an earlier owner held and we have not read yet is still before what it moved. */
  private followFrom(first: bigint | null): bigint {
    if (first !== null) return first;
    const { followFrom } = this.start;
    return followFrom > this.nextOffset ? followFrom : this.nextOffset;
  }

  /** What an earlier owner had handed out and we have not read yet is still to be told. */
  private outermost(handOut: HandOut | null): HandOut | null {
    const { earlier } = this;
    if (earlier === null || earlier.end <= this.nextOffset) return handOut;
    return handOut === null || earlier.end > handOut.end ? earlier : handOut;
  }

  /** Settled is what lies between two neighbouring unsettled offsets, behind the last one, and what is still restored. */
  private *settledAboveMark(mark: bigint): Generator<readonly [bigint, bigint]> {
    const { nextOffset } = this;
    let from = mark;
    for (const offset of this.unsettled.keys()) {
      if (offset > from) yield [from, offset];
      from = offset + 1n;
    }
    if (from > mark && nextOffset > from) yield [from, nextOffset];
    for (const [first, end] of this.restored) {
      const ahead = first < nextOffset ? nextOffset : first;
      if (end > ahead && ahead > mark) yield [ahead, end];
    }
  }
}

function fewestWords(head: string, maxBytes: number): string {
  const text = `${head};zzzzzzzzzz:*~0`;
  return text.length <= maxBytes ? text : '';
}

function shownHandOut(mark: bigint, handOut: HandOut | null): string {
  if (handOut === null || handOut.end <= mark) return '';
  return letters[handOut.cause] + (handOut.end - mark).toString(36);
}
