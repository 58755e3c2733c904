// Figures and times as people read them; pure.

const whole = new Intl.NumberFormat('en');

export const count = (value: number): string => whole.format(Math.round(value));

/** Of a second; short enough for a tile: 0, 0.4, 12, 4,980, 12.5k. */
export function rate(perSecond: number): string {
  if (perSecond <= 0) return '0';
  if (perSecond < 10) return perSecond.toFixed(1);
  return perSecond < 10_000 ? count(perSecond) : short(perSecond);
}

/** 12,345 as 12.3k, 4,000,000 as 4M. */
export function short(value: number): string {
  if (value < 10_000) return count(value);
  const [divisor, unit] = value < 1_000_000 ? [1000, 'k'] : value < 1e9 ? [1e6, 'M'] : [1e9, 'G'];
  const scaled = value / divisor;
  return `${scaled < 100 ? scaled.toFixed(1).replace(/\.0$/, '') : Math.round(scaled)}${unit}`;
}

/** A length of time: 3 ms, 1.2 s, 4 min 5 s, 3 h 2 min, 2 d 3 h. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const [minutes, hours, days] = [Math.floor(seconds / 60), Math.floor(seconds / 3600), Math.floor(seconds / 86_400)];
  if (hours === 0) return `${minutes} min${rest(Math.round(seconds) % 60, 's')}`;
  if (days === 0) return `${hours} h${rest(minutes % 60, 'min')}`;
  return `${days} d${rest(hours % 24, 'h')}`;
}

const rest = (value: number, unit: string): string => (value === 0 ? '' : ` ${value} ${unit}`);

export const maybeDuration = (ms: number | null): string => (ms === null ? '–' : duration(ms));

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  if (value < 1_048_576) return `${(value / 1024).toFixed(1)} KiB`;
  return `${Math.round(value / 1_048_576)} MiB`;
}

/** How long ago; "now" for what may be. */
export function ago(time: string, nowMs: number): string {
  const ms = nowMs - Date.parse(time);
  if (Number.isNaN(ms)) return time;
  return ms < 1000 ? 'now' : `${coarse(ms)} ago`;
}

/** How long until then; empty once it has come. */
export function until(time: string, nowMs: number): string {
  const ms = Date.parse(time) - nowMs;
  return Number.isNaN(ms) || ms <= 0 ? '' : coarse(ms + 999);
}

/** One unit is enough for what changes every second. */
function coarse(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

/** A moment on this machine's clock, the day only when it is not today's. */
export function moment(time: string | number, nowMs: number): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return String(time);
  const clock = date.toLocaleTimeString('en-GB');
  const isToday = date.toDateString() === new Date(nowMs).toDateString();
  return isToday ? clock : `${date.toLocaleDateString('sv')} ${clock}`;
}

/** Counted things: 1 circuit is, 2 circuits are. */
export const many = (value: number, one: string, more: string): string => `${count(value)} ${value === 1 ? one : more}`;
