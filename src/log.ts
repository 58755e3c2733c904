// The log: JSON lines on stdout, and in hourly files if the settings name a directory.
import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Params, PinoLogger } from 'nestjs-pino';
import pino, { type DestinationStream } from 'pino';
import { censoring } from './censor.js';
import type { Adjustable } from './config-watch/adjustable.js';
import { type LogSettings, type Settings, SettingsError } from './config-watch/settings.js';
import { textOf } from './message/errors.js';

/** The original's levels: 0 for no row at all, and 1 to 5. */
const levels = ['silent', 'fatal', 'error', 'warn', 'info', 'debug'] as const;
const lowest = 'debug';
const nameOf = (level: number) => levels[level] ?? lowest;
/** Three days. */
const keptFiles = 72;

type FileStream = DestinationStream & { end(): void };

/** Fails where a person looks: a directory that cannot be made or written is a fault of the configuration. */
function fileStream(directory: string): FileStream {
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

/** Why no log can be written there; null when it can, or could once the directory is made. Makes nothing. */
function faultOf(directory: string): string | null {
  let at = resolve(directory);
  while (!existsSync(at) && at !== dirname(at)) at = dirname(at);
  try {
    accessSync(at, constants.W_OK);
    return statSync(at).isDirectory() ? null : `${at} is no directory`;
  } catch (error) {
    return textOf(error);
  }
}

/** The process's log; its level and its files change live. */
export class ProcessLog implements Adjustable {
  readonly name = 'log';
  /** For Nest's logger. Nothing of a call's body or secret is ever handed to it; requests are counted, not logged. */
  readonly params: Params;
  private readonly stdout = pino.destination({ fd: 1, sync: true });
  private files: FileStream | null;

  /** `marks` stand in each line. */
  constructor({ level, directory }: LogSettings, marks: Readonly<Record<string, unknown>> = {}) {
    this.files = directory === null ? null : fileStream(directory);
    // The logger's own level decides alone.
    const streams = pino.multistream([
      { level: lowest, stream: this.stdout },
      { level: lowest, stream: { write: (row: string) => this.files?.write(row) } },
    ]);
    this.params = {
      pinoHttp: {
        logger: pino({ level: nameOf(level), base: { pid: process.pid, ...marks }, ...censoring }, streams),
        autoLogging: false,
        quietReqLogger: true,
      },
      // No request passes through the logger's middleware: it would cost a fifth of the throughput.
      forRoutes: [],
    };
  }

  /** A line that another process's logger has written, without its end. */
  pass(row: string): void {
    this.stdout.write(`${row}\n`);
    this.files?.write(`${row}\n`);
  }

  veto({ log }: Settings, current: Settings): readonly string[] {
    if (log.directory === null || log.directory === current.log.directory) return [];
    const fault = faultOf(log.directory);
    return fault === null ? [] : [`log.directory: found ${JSON.stringify(log.directory)}: ${fault}`];
  }

  adjust({ log }: Settings, current: Settings): void {
    // The one that all modules write through; it was made with the level of the start.
    PinoLogger.root.level = nameOf(log.level);
    if (log.directory === current.log.directory) return;
    const before = this.files;
    this.files = log.directory === null ? null : fileStream(log.directory);
    before?.end();
  }
}
