// Looks at a write-ahead log before SQLite does: recovery ends at the first broken frame without a word.
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';

// The layout is SQLite's own, https://www.sqlite.org/fileformat2.html#walformat; all numbers are big-endian.
const headerBytes = 32;
const frameHeaderBytes = 24;
const magicLittleEndian = 0x377f0682;
const magicBigEndian = 0x377f0683;

/**
 * How many committed transactions stand behind the first frame whose checksum is wrong. A crash tears at most the last
 * one, because each is synced before the next begins: 0 and 1 are ordinary, more is damage.
 */
export function unreachableCommits(file: string): number {
  if (!existsSync(file)) return 0;
  const handle = openSync(file, 'r');
  try {
    return scan(handle, fstatSync(handle).size);
  } finally {
    closeSync(handle);
  }
}

function scan(handle: number, size: number): number {
  const header = Buffer.alloc(headerBytes);
  if (readSync(handle, header, 0, headerBytes, 0) < headerBytes) return 0;
  const magic = header.readUInt32BE(0);
  if (magic !== magicLittleEndian && magic !== magicBigEndian) return 0;
  const checksum = new Checksum(magic === magicLittleEndian);
  checksum.add(header, 0, 24);
  let isWhole = checksum.matches(header, 24);
  const salts = header.subarray(16, 24);
  const frame = Buffer.alloc(frameHeaderBytes + header.readUInt32BE(8));
  let commits = 0;
  for (let at = headerBytes; at + frame.length <= size; at += frame.length) {
    readSync(handle, frame, 0, frame.length, at);
    // Frames with other salts are left from before the log was last begun anew.
    if (!frame.subarray(8, 16).equals(salts)) {
      isWhole = false;
      continue;
    }
    if (isWhole) {
      checksum.add(frame, 0, 8);
      checksum.add(frame, frameHeaderBytes, frame.length);
      isWhole = checksum.matches(frame, 16);
    }
    if (!isWhole && frame.readUInt32BE(4) !== 0) commits += 1;
  }
  return commits;
}

/** SQLite's running checksum: two sums over pairs of 32-bit words. */
class Checksum {
  private s1 = 0;
  private s2 = 0;

  constructor(private readonly isLittleEndian: boolean) {}

  add(bytes: Buffer, from: number, to: number): void {
    for (let at = from; at < to; at += 8) {
      this.s1 = (this.s1 + this.word(bytes, at) + this.s2) >>> 0;
      this.s2 = (this.s2 + this.word(bytes, at + 4) + this.s1) >>> 0;
    }
  }

  matches(bytes: Buffer, at: number): boolean {
    return bytes.readUInt32BE(at) === this.s1 && bytes.readUInt32BE(at + 4) === this.s2;
  }

  private word(bytes: Buffer, at: number): number {
    return this.isLittleEndian ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
  }
}
