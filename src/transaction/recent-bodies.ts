// The bodies of the newest records, since most transactions are decided within moments; the others are read from the log.

/** One beside another in blocks: small Buffers of their own would hold on to several times their bytes. */
const blockBytes = 1_048_576;
/** Some ten thousand small transactions. */
const maxBlocks = 16;

interface Block {
  readonly bytes: Buffer;
  readonly offsets: number[];
  /** Behind each body. */
  readonly ends: number[];
}

export class RecentBodies {
  private readonly blocks: Block[] = [];

  /** Undefined for one that is too long ago, or was too large. Of the caller's as long as he does not wait. */
  get(offset: number): Buffer | undefined {
    const block = this.blocks.findLast(({ offsets }) => (offsets[0] as number) <= offset);
    if (block === undefined) return undefined;
    const at = placeOf(block.offsets, offset);
    return at === -1 ? undefined : block.bytes.subarray(block.ends[at - 1] ?? 0, block.ends[at]);
  }

  /** Offsets grow. The oldest go. */
  add(offset: number, body: Buffer): void {
    if (body.length > blockBytes) return;
    let block = this.blocks.at(-1);
    if (block === undefined || (block.ends.at(-1) ?? 0) + body.length > blockBytes) block = this.next();
    const from = block.ends.at(-1) ?? 0;
    body.copy(block.bytes, from);
    block.offsets.push(offset);
    block.ends.push(from + body.length);
  }

  private next(): Block {
    const oldest = this.blocks.length < maxBlocks ? undefined : this.blocks.shift();
    const block = { bytes: oldest?.bytes ?? Buffer.allocUnsafeSlow(blockBytes), offsets: [], ends: [] };
    this.blocks.push(block);
    return block;
  }
}

/** In a list that grows; -1: it is not there. */
function placeOf(sorted: readonly number[], wanted: number): number {
  let [from, to] = [0, sorted.length - 1];
  while (from <= to) {
    const middle = (from + to) >> 1;
    const value = sorted[middle] as number;
    if (value === wanted) return middle;
    if (value < wanted) from = middle + 1;
    else to = middle - 1;
  }
  return -1;
}
