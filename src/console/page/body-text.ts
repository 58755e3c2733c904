// A body's bytes as something to read; pure.

export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/** What is no UTF-8 is replaced. */
export const textOf = (body: Uint8Array): string => new TextDecoder().decode(body);

/** Laid out; null for what is no JSON. */
export function jsonOf(body: Uint8Array): string | null {
  try {
    return JSON.stringify(JSON.parse(textOf(body)), null, 2);
  } catch {
    return null;
  }
}

/** Sixteen bytes a line: offset, hexadecimal, and what is visible ASCII. */
export function hexOf(body: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < body.length; at += 16) {
    const row = [...body.subarray(at, at + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hex.padEnd(47)}  ${text}`);
  }
  return lines.join('\n');
}
