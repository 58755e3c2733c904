// How long to wait before the next attempt; pure.
import type { BackoffSettings } from '../config-watch/settings.js';

/**
 * The wait after attempt number `attempt` (1 for the first): from the list, whose last one stands for all behind it,
 * or initialMs × factor^(attempt-1), at most maxMs. Full jitter takes a random part of that; `random` is in [0, 1).
 */
export function backoffMs(attempt: number, settings: BackoffSettings, random: number): number {
  if ('length' in settings) return settings[Math.min(attempt, settings.length) - 1] ?? 0;
  const ceiling = Math.min(settings.maxMs, settings.initialMs * settings.factor ** (attempt - 1));
  return settings.jitter === 'full' ? ceiling * random : ceiling;
}
