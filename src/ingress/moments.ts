// When a message is due and until when it is worth sending, as callers write it; pure.
import { messageHeader } from '../message/message.js';

/** Who wants a call later than this wants a calendar. */
export const longestDelayMs = 366 * 86_400_000;
/** Numbers from here on are Unix seconds, smaller ones seconds from now. */
const firstMoment = 1_000_000_000;

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const iso = /^P(?=[\dT])(?:(\d{1,6})D)?(?:T(?=\d)(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,10}(?:\.\d{1,3})?)S)?)?$/i;
const short = /^(\d{1,10}(?:\.\d{1,3})?)(ms|s|m|h|d)?$/i;
const dateTime = /^(\d{4})-(\d{2})-(\d{2})[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})$/;

/** What a caller may write, for its error. */
export const durationForms = 'seconds, "90s", "15m", "2h", "7d" or an ISO 8601 duration like "PT90S", at most 366 days';
export const momentForms =
  'an ISO 8601 date and time with its zone (YYYY-MM-DDThh:mm:ssZ), or Unix seconds, at most 366 days from now';

/** Milliseconds; null for what is no duration, or too long. */
export function durationOf(value: unknown): number | null {
  const text = textOf(value);
  if (text === null) return null;
  const ms = shortMs(text) ?? isoMs(text);
  return ms !== null && ms <= longestDelayMs ? Math.round(ms) : null;
}

/** Unix milliseconds; null for what is no moment, or too far off. */
export function momentOf(value: unknown, nowMs: number): number | null {
  const text = textOf(value);
  if (text === null) return null;
  const ms = /^\d{10,11}(\.\d{1,3})?$/.test(text) ? Number(text) * 1000 : dateMs(text);
  return ms !== null && ms >= firstMoment * 1000 && ms <= nowMs + longestDelayMs ? Math.round(ms) : null;
}

const textOf = (value: unknown) => {
  if (typeof value === 'string') return value;
  return typeof value === 'number' && value >= 0 && Number.isFinite(value) ? String(value) : null;
};

function shortMs(text: string): number | null {
  const parts = short.exec(text);
  return parts === null ? null : Number(parts[1]) * (unitMs[(parts[2] ?? 's').toLowerCase()] as number);
}

function isoMs(text: string): number | null {
  const parts = iso.exec(text);
  if (parts === null) return null;
  const [days, hours, minutes, seconds] = parts.slice(1).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
  ];
  return ((days * 24 + hours) * 60 + minutes) * 60_000 + seconds * 1000;
}

/** Also refuses days that no month has, which Date would carry over into the next one. */
function dateMs(text: string): number | null {
  const parts = dateTime.exec(text);
  if (parts === null) return null;
  const [year, month, day] = parts.slice(1, 4).map(Number) as [number, number, number];
  if (day > new Date(Date.UTC(year, month, 0)).getUTCDate()) return null;
  const ms = Date.parse(text.replace(' ', 'T'));
  return Number.isNaN(ms) ? null : ms;
}

/** As they were written; undefined: absent. */
export interface WrittenTimes {
  readonly delay: unknown;
  readonly not_before: unknown;
  readonly expires: unknown;
}

/** Unix milliseconds; 0: at once, and for ever. */
export interface Times {
  readonly notBeforeMs: number;
  readonly expiresMs: number;
}

/** Tells `fault` of each that is wrong. */
export function timesOf(
  { delay, not_before: notBefore, expires }: WrittenTimes,
  nowMs: number,
  fault: (field: keyof WrittenTimes, detail: string) => void,
): Times {
  let notBeforeMs = 0;
  if (delay !== undefined) {
    const delayMs = durationOf(delay);
    if (delayMs === null) fault('delay', `allowed: ${durationForms}`);
    else if (delayMs > 0) notBeforeMs = nowMs + delayMs;
  }
  if (notBefore !== undefined) {
    const moment = momentOf(notBefore, nowMs);
    if (moment === null) fault('not_before', `allowed: ${momentForms}`);
    else if (delay !== undefined) fault('not_before', 'allowed: delay or not_before, not both');
    else if (moment > nowMs) notBeforeMs = moment;
  }
  if (expires === undefined) return { notBeforeMs, expiresMs: 0 };
  const moment = momentOf(expires, nowMs);
  const lastsMs = moment === null ? durationOf(expires) : null;
  const expiresMs = moment ?? (lastsMs === null ? null : nowMs + lastsMs);
  if (expiresMs === null) fault('expires', `allowed: ${momentForms}; or, from now, ${durationForms}`);
  else if (expiresMs <= Math.max(nowMs, notBeforeMs))
    fault('expires', 'allowed: a moment after now and after the message is due');
  return { notBeforeMs, expiresMs: expiresMs ?? 0 };
}

/** Into a message's headers. */
export function putTimes({ notBeforeMs, expiresMs }: Times, headers: Record<string, string>): void {
  if (notBeforeMs > 0) headers[messageHeader.notBefore] = String(notBeforeMs);
  if (expiresMs > 0) headers[messageHeader.expires] = String(expiresMs);
}
