// Closes an HTTP listener within a bound: whoever is being answered is answered, whoever is silent is not waited for.
import type { Server } from 'node:http';
import type { Clock, Timer } from './message/clock.js';

/** Connections that have become idle are closed this often; Node itself looks no more once the listener is closed. */
const idleCheckMs = 50;

/**
 * `close` stops the listener and resolves when its last connection has ended. After `boundMs`, in which any request
 * under way must have come in and been answered, what is still open is cut.
 */
export async function closeListener(
  server: Server,
  close: () => Promise<void>,
  clock: Clock,
  boundMs: number,
): Promise<void> {
  let timer: Timer | undefined;
  const endMs = clock.elapsedMs() + boundMs;
  const closeIdle = () => {
    if (clock.elapsedMs() >= endMs) server.closeAllConnections();
    else server.closeIdleConnections();
    timer = clock.setTimer(idleCheckMs, closeIdle);
  };
  const closed = close();
  closeIdle();
  try {
    await closed;
  } finally {
    timer?.cancel();
  }
}
