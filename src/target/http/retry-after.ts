// How long a receiver asks to be left alone.

/** As HTTP writes it, `Sun, 06 Nov 1994 08:49:37 GMT`; forms that are read differently from machine to machine are not taken. */
const httpDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT(?=,|$)/;
const seconds = /^\d{1,10}(?=,|$)/;

/** Milliseconds from `nowMs` (unix), 0 for a date gone by; null when there is no header, or none that can be read. The first of several counts. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | null {
  const text = header?.trim() ?? '';
  const [whole] = seconds.exec(text) ?? [];
  if (whole !== undefined) return Number(whole) * 1000;
  const [date] = httpDate.exec(text) ?? [];
  if (date === undefined) return null;
  const atMs = Date.parse(date);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}
