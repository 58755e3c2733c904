// What people read: rows under one another, and a bar for what takes long.
import { stripVTControlCharacters } from 'node:util';

const barWidth = 30;

/** Columns as wide as their widest cell; numbers to the right. A header and nothing else is one line too. */
export function tableOf(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const texts = [header, ...rows.map((row) => row.map((cell) => plain(String(cell))))];
  const widths = header.map((_, column) => Math.max(...texts.map((row) => (row[column] ?? '').length)));
  const isNumber = header.map(
    (_, column) => rows.length > 0 && rows.every((row) => /^[-\d.]+%?$/.test(String(row[column] ?? ''))),
  );
  return texts.map((row) =>
    row
      .map((cell, column) => (isNumber[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** One line, however much is done. */
export function barOf(done: number, total: number, what: string): string {
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const filled = Math.round(share * barWidth);
  return `[${'#'.repeat(filled)}${'.'.repeat(barWidth - filled)}] ${Math.floor(share * 100)} %  ${what}`;
}

/** Others wrote it: nothing in it steers a terminal, and it stays on one line. */
export function plain(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{Cc}/gu, (found) => {
    const code = found.codePointAt(0) ?? 0;
    return found === '\t' ? ' ' : `\\x${code.toString(16).padStart(2, '0')}`;
  });
}

/** A body as people read it: text where it is text, else how long it is. */
export function bodyText(base64: string, maxChars: number): string {
  const bytes = Buffer.from(base64, 'base64');
  const text = bytes.toString('utf8');
  if (!Buffer.from(text).equals(bytes)) return `(${bytes.length} bytes that are no text)`;
  const shown = text.length > maxChars ? `${text.slice(0, maxChars)}... (${bytes.length} bytes)` : text;
  return plain(shown);
}
