// Snappy and LZ4 as other writers use them on Kafka: read, never written.

/** What one compressed batch may become: a damaged or hostile one must not take all memory. */
const maxBytes = 268_435_456;

const fault = (what: string) => new Error(`a compressed batch cannot be read: ${what}`);

/** Grows as it is filled; copies within itself, as both formats ask for. */
class Output {
  private bytes: Buffer;
  length = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(Math.max(64, Math.min(size, maxBytes)));
  }

  /** All that was written. */
  get content(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  append(source: Buffer, from: number, to: number): void {
    if (to > source.length) throw fault('it ends too early');
    this.reserve(to - from);
    source.copy(this.bytes, this.length, from, to);
    this.length += to - from;
  }

  /** `distance` back, byte by byte: what is copied may be what was written by the same copy. */
  repeat(distance: number, count: number): void {
    if (distance === 0 || distance > this.length) throw fault('it points before its beginning');
    this.reserve(count);
    for (let i = 0; i < count; i += 1) this.bytes[this.length + i] = this.bytes[this.length + i - distance] as number;
    this.length += count;
  }

  private reserve(count: number): void {
    const needed = this.length + count;
    if (needed > maxBytes) throw fault(`it is longer than ${maxBytes} bytes`);
    if (needed <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.min(maxBytes, Math.max(needed, this.bytes.length * 2)));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}

/** What Java writes around snappy's blocks: this, two versions, then blocks with their lengths. */
const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const xerialHeader = 16;

export function unsnappy(input: Buffer): Buffer {
  const output = new Output(input.length * 3);
  if (!input.subarray(0, xerialMagic.length).equals(xerialMagic)) {
    snappyBlock(input, output);
    return output.content;
  }
  for (let at = xerialHeader; at < input.length; ) {
    const size = input.readInt32BE(at);
    at += 4;
    if (size < 0 || at + size > input.length) throw fault('a block has a wrong length');
    snappyBlock(input.subarray(at, at + size), output);
    at += size;
  }
  return output.content;
}

function snappyBlock(block: Buffer, output: Output): void {
  let at = 0;
  let expected = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = block[at];
    if (byte === undefined || shift > 28) throw fault('its length cannot be read');
    at += 1;
    expected += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  const end = output.length + expected;
  while (at < block.length) {
    const tag = block[at] as number;
    at += 1;
    const kind = tag & 3;
    if (kind === 0) {
      let count = (tag >> 2) + 1;
      if (count > 60) {
        const bytes = count - 60;
        if (at + bytes > block.length) throw fault('it ends too early');
        count = block.readUIntLE(at, bytes) + 1;
        at += bytes;
      }
      output.append(block, at, at + count);
      at += count;
      continue;
    }
    const width = kind === 3 ? 4 : kind;
    if (at + width > block.length) throw fault('it ends too early');
    const low = block.readUIntLE(at, width);
    at += width;
    if (kind === 1) output.repeat(((tag & 0xe0) << 3) | low, ((tag >> 2) & 7) + 4);
    else output.repeat(low, (tag >> 2) + 1);
  }
  if (output.length !== end) throw fault('it has another length than it says');
}

const lz4Magic = 0x184d2204;
const isPlain = 0x80000000;

/** Frames as KIP-57 has them; checksums are not looked at, Kafka's own cover the batch. */
export function unlz4(input: Buffer): Buffer {
  if (input.length < 7 || input.readUInt32LE(0) !== lz4Magic) throw fault('no LZ4 frame');
  const flags = input[4] as number;
  const hasBlockSum = (flags & 0x10) !== 0;
  // Magic, flags, block size, perhaps the content's size and a dictionary's id, checksum of these.
  let at = 7 + ((flags & 0x08) === 0 ? 0 : 8) + ((flags & 0x01) === 0 ? 0 : 4);
  const output = new Output(input.length * 3);
  for (;;) {
    if (at + 4 > input.length) throw fault('it ends too early');
    const word = input.readUInt32LE(at);
    at += 4;
    if (word === 0) return output.content;
    const size = word & ~isPlain;
    if (at + size > input.length) throw fault('it ends too early');
    if ((word & isPlain) !== 0) output.append(input, at, at + size);
    else lz4Block(input.subarray(at, at + size), output);
    at += size + (hasBlockSum ? 4 : 0);
  }
}

function lz4Block(block: Buffer, output: Output): void {
  let at = 0;
  const lengthFrom = (nibble: number) => {
    let length = nibble;
    if (nibble !== 15) return length;
    for (;;) {
      const byte = block[at];
      if (byte === undefined) throw fault('it ends too early');
      at += 1;
      length += byte;
      if (byte !== 255) return length;
    }
  };
  while (at < block.length) {
    const token = block[at] as number;
    at += 1;
    const literals = lengthFrom(token >> 4);
    output.append(block, at, at + literals);
    at += literals;
    // The last sequence has literals only.
    if (at >= block.length) return;
    if (at + 2 > block.length) throw fault('it ends too early');
    const distance = block.readUInt16LE(at);
    at += 2;
    output.repeat(distance, lengthFrom(token & 15) + 4);
  }
}
