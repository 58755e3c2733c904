// The log: JSON lines on stdout, and in hourly files if the settings name a directory.
import type { Params } from 'nestjs-pino';
import pino, { type DestinationStream, type StreamEntry } from 'pino';
import type { LogSettings } from './config-watch/settings.js';

/** The original's levels 1 to 5. */
const levels = ['fatal', 'error', 'warn', 'info', 'debug'] as const;
/** Three days. */
const keptFiles = 72;

/** Nothing of a call's body or secret is ever handed to the logger; requests are counted, not logged. */
export function logParams({ level, directory }: LogSettings): Params {
  const name = levels[level - 1] ?? 'info';
  const streams: StreamEntry[] = [{ level: name, stream: pino.destination({ fd: 1, sync: false }) }];
  if (directory !== null) {
    const options = {
      file: `${directory}/bigpipe`,
      extension: '.log',
      frequency: 'hourly',
      mkdir: true,
      limit: { count: keptFiles },
    };
    const stream: DestinationStream = pino.transport({ target: 'pino-roll', options });
    streams.push({ level: name, stream });
  }
  return {
    pinoHttp: {
      logger: pino({ level: name, base: { pid: process.pid } }, pino.multistream(streams)),
      autoLogging: false,
      quietReqLogger: true,
    },
    // No request passes through the logger's middleware: it would cost a fifth of the throughput.
    forRoutes: [],
  };
}
