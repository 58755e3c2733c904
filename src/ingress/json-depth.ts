// How deep a text of JSON is nested, told before it is parsed: a megabyte of brackets takes the parser a second.

/** No call needs more; the rest is somebody's data, which travels as a text. */
export const maxJsonDepth = 64;

const quote = 0x22;
const backslash = 0x5c;
/** Short texts are gone through here; in a long one the next quote is looked for by native code. */
const shortText = 48;

/** True for what is nested deeper than `maxJsonDepth`. What is no JSON may be told either way. */
export function isTooDeep(body: Buffer): boolean {
  const { length } = body;
  let depth = 0;
  for (let at = 0; at < length; at += 1) {
    const byte = body[at] as number;
    if (byte === quote) at = endOfText(body, at);
    // [ and {, ] and } differ in one bit.
    else if ((byte | 0x20) === 0x7b) {
      depth += 1;
      if (depth > maxJsonDepth) return true;
    } else if ((byte | 0x20) === 0x7d) depth -= 1;
  }
  return false;
}

/** Where the text that begins at `from` ends: its closing quote, or the end of all. */
function endOfText(body: Buffer, from: number): number {
  const { length } = body;
  let looked = 0;
  for (let at = from + 1; at < length; at += 1) {
    const byte = body[at];
    if (byte === quote) return at;
    if (byte === backslash) {
      at += 1;
      looked = 0;
      continue;
    }
    looked += 1;
    if (looked < shortText) continue;
    const next = body.indexOf(quote, at + 1);
    if (next === -1) return length;
    // A backslash just before it may belong to it: go on from the first of them.
    at = next - 1;
    while (body[at] === backslash) at -= 1;
    looked = 0;
  }
  return length;
}
