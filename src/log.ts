// The log: JSON lines on stdout, and in hourly files if the settings name a directory.
import { accessSync, constants, mkdirSync } from 'node:fs';
import { type Params, PinoLogger } from 'nestjs-pino';
import pino, { type DestinationStream, type StreamEntry } from 'pino';
import type { Adjustable } from './config-watch/adjustable.js';
import { type LogSettings, type Settings, SettingsError } from './config-watch/settings.js';
import { textOf } from './message/errors.js';

/** The original's levels 1 to 5. */
const levels = ['fatal', 'error', 'warn', 'info', 'debug'] as const;
const lowest = 'debug';
const nameOf = (level: number) => levels[level - 1] ?? 'info';
/** Three days. */
const keptFiles = 72;

/** Fails where a person looks: a directory that cannot be made or written is a fault of the configuration. */
function fileStream(directory: string): DestinationStream {
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.W_OK);
  } catch (error) {
    throw new SettingsError('log.directory', [`found ${JSON.stringify(directory)}: ${textOf(error)}`]);
  }
  const file = `${directory}/bigpipe`;
  const options = {
    file,
    extension: '.log',
    frequency: 'hourly',
    mkdir: true,
    limit: { count: keptFiles },
  };
  const stream = pino.transport({ target: 'pino-roll', options });
  // A full disk must not end the process: the lines still go to stdout.
  stream.on('error', (error: unknown) => process.stderr.write(`bigpipe: log.directory: ${textOf(error)}\n`));
  return stream;
}

/** The process's log; its level changes live. */
export class ProcessLog implements Adjustable {
  readonly name = 'log';
  /** For Nest's logger. Nothing of a call's body or secret is ever handed to it; requests are counted, not logged. */
  readonly params: Params;

  constructor({ level, directory }: LogSettings) {
    // The logger's own level decides alone.
    const streams: StreamEntry[] = [{ level: lowest, stream: pino.destination({ fd: 1, sync: true }) }];
    if (directory !== null) streams.push({ level: lowest, stream: fileStream(directory) });
    this.params = {
      pinoHttp: {
        logger: pino({ level: nameOf(level), base: { pid: process.pid } }, pino.multistream(streams)),
        autoLogging: false,
        quietReqLogger: true,
      },
      // No request passes through the logger's middleware: it would cost a fifth of the throughput.
      forRoutes: [],
    };
  }

  adjust({ log }: Settings): void {
    // The one that all modules write through; it was made with the level of the start.
    PinoLogger.root.level = nameOf(log.level);
  }
}
