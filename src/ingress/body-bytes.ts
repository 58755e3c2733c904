// The bytes of a call's texts, kept apart from what is soon garbage.

/** 64 KiB hold some dozen small bodies; a body that waits long holds back no more than this. */
const slabBytes = 65_536;
/** Longer texts get memory of their own. */
const longest = slabBytes / 16;

let slab = Buffer.alloc(0);
let used = 0;

/**
 * As Buffer.from does, but small texts share slabs with one another only. Node's own pool would put them beside the
 * request they came in, and the log's tail would hold both.
 */
export function bytesOf(text: string): Buffer {
  const length = Buffer.byteLength(text);
  if (length > longest) return Buffer.from(text);
  if (used + length > slab.length) {
    slab = Buffer.allocUnsafeSlow(slabBytes);
    used = 0;
  }
  const bytes = slab.subarray(used, used + length);
  slab.write(text, used);
  used += length;
  return bytes;
}
