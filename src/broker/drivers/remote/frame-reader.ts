// Cuts a stream of bytes into frames: u32 bytes that follow, and these bytes.

const head = 4;
/** No frame that we write is longer; one that says so is no frame. */
const maxFrameBytes = 0x7fff_ffff;

/** Views of what came in where a frame came in one piece; a copy of that frame alone where it did not. */
export class FrameReader {
  /** Pieces of a frame that has not come whole. */
  private pieces: Buffer[] = [];
  private bytes = 0;

  /** Calls `take` for each frame that is whole, in order. Throws for a length that no frame has. */
  push(chunk: Buffer, take: (frame: Buffer) => void): void {
    let rest = chunk;
    if (this.bytes > 0) {
      rest = this.complete(chunk, take);
      if (this.bytes > 0) return;
    }
    let at = 0;
    while (rest.length - at >= head) {
      const end = at + head + lengthAt(rest, at);
      if (end > rest.length) break;
      take(rest.subarray(at + head, end));
      at = end;
    }
    if (at < rest.length) this.keep(rest.subarray(at));
  }

  /** Adds what the waiting frame lacks, and no more; returns what is behind it. */
  private complete(chunk: Buffer, take: (frame: Buffer) => void): Buffer {
    const forHead = Math.min(chunk.length, Math.max(0, head - this.bytes));
    if (forHead > 0) this.keep(chunk.subarray(0, forHead));
    if (this.bytes < head) return chunk.subarray(forHead);
    const first = this.headPiece();
    const missing = head + lengthAt(first, 0) - this.bytes;
    const behind = chunk.subarray(forHead);
    if (behind.length < missing) {
      this.keep(behind);
      return behind.subarray(behind.length);
    }
    if (missing > 0) this.keep(behind.subarray(0, missing));
    const frame = this.pieces.length === 1 ? first : Buffer.concat(this.pieces, this.bytes);
    this.pieces = [];
    this.bytes = 0;
    take(frame.subarray(head));
    return behind.subarray(missing);
  }

  /** The first piece, with the whole head in it. */
  private headPiece(): Buffer {
    const [first] = this.pieces as [Buffer];
    if (first.length >= head) return first;
    const whole = Buffer.concat(this.pieces, this.bytes);
    this.pieces = [whole];
    return whole;
  }

  private keep(piece: Buffer): void {
    if (piece.length === 0) return;
    this.pieces.push(piece);
    this.bytes += piece.length;
  }
}

function lengthAt(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32LE(at);
  if (length > maxFrameBytes) throw new Error(`a frame of ${length} bytes`);
  return length;
}
