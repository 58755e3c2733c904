// Starts the process; on SIGTERM or SIGINT drains it, on SIGHUP or SIGUSR1 reads its configuration anew.
import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { type RunningBigpipe, startBigpipe } from './bigpipe.js';
import { SettingsError } from './config-watch/settings.js';
import { BigpipeError, textOf } from './message/errors.js';

/** sysexits.h: EX_CONFIG, and EX_USAGE for a wrong command line. */
const exitConfig = 78;
const exitUsage = 64;
/** Terminals, npm and nest forward the same signal twice; a second one that means it comes later. */
const sameSignalMs = 1000;

function fail(message: string, code: number): never {
  process.stderr.write(`bigpipe: ${message}\n`);
  process.exit(code);
}

function configFile(): string | null {
  try {
    // The original's command line has one dash.
    const args = process.argv.slice(2).map((arg) => (/^-config(=|$)/.test(arg) ? `-${arg}` : arg));
    const { values } = parseArgs({ args, options: { config: { type: 'string' } } });
    return values.config ?? null;
  } catch (error) {
    return fail(`${textOf(error)}\nusage: bigpipe [--config FILE]`, exitUsage);
  }
}

/** From the first moment: a signal that comes during the start drains what has just started. */
function drainOnSignals(starting: Promise<RunningBigpipe>): void {
  let firstMs: number | undefined;
  const onSignal = () => {
    const nowMs = performance.now();
    if (firstMs !== undefined) {
      // Losing nothing: what is not committed is delivered again after the next start.
      if (nowMs - firstMs > sameSignalMs)
        fail('told to end at once; what was in flight is delivered after the next start', 1);
      return;
    }
    firstMs = nowMs;
    const drained = starting.then(
      (running) => running.close(),
      // Why it did not start is told below.
      () => undefined,
    );
    drained.then(
      () => process.exit(0),
      (error) => fail(`could not drain: ${textOf(error)}`, 1),
    );
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

/** Also from the first moment: unheard, the one ends a process and the other opens Node's inspector. */
function reloadOnSignals(starting: Promise<RunningBigpipe>): void {
  const onSignal = () => {
    starting.then(
      (running) => running.reload(),
      () => undefined,
    );
  };
  process.on('SIGHUP', onSignal);
  process.on('SIGUSR1', onSignal);
}

try {
  const starting = startBigpipe(configFile());
  drainOnSignals(starting);
  reloadOnSignals(starting);
  await starting;
} catch (error) {
  if (error instanceof SettingsError) fail(`the configuration is refused: ${error.message}`, exitConfig);
  if (error instanceof BigpipeError) fail(`${error.message} (${error.code})`, 1);
  // A port that is taken, an address that is not ours, a directory that may not be written.
  if (typeof (error as { syscall?: unknown }).syscall === 'string') fail(textOf(error), 1);
  throw error;
}
