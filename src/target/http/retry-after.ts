// How long a receiver asks to be left alone.

/** As HTTP writes it, `Sun, 06 Nov 1994 08:49:37 GMT`; forms that are read differently from machine to machine are not taken. */
const httpDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** Milliseconds from `nowMs` (unix), 0 for a date gone by; null when there is no header, or none that can be read. */
export function retryAfterMs(header: string | string[] | undefined, nowMs: number): number | null {
  const text = (Array.isArray(header) ? header[0] : header)?.trim();
  if (text === undefined) return null;
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1000;
  if (!httpDate.test(text)) return null;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}
