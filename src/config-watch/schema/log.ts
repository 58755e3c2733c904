// The user's keys about logging.
import { AnyText, Optional, Share, Whole } from './rules.js';

export class LogSection {
  /** FATAL=1, ERROR=2, WARNING=3, INFO=4, DEBUG=5: rows above it are dropped. 0 drops all. */
  @Whole(0, 5)
  'log.level': number = 4;

  /** Also write the log to files in this directory, a new one every hour, the last 72 of a run kept. */
  @Optional()
  @AnyText()
  'log.directory'?: string;

  /** Of the messages that are stored and delivered, the share that the log tells of; each of them with all of its lines. */
  @Share()
  'log.sample': number = 0.01;
}
