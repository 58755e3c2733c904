// Log lines about deliveries that fail: enough to see why, never as many as there are failures.
import { Logger } from '@nestjs/common';
import type { Clock } from '../message/clock.js';
import { TokenBucket } from '../policy/token-bucket.js';

/** A subscription whose receiver is down fails as often as it may send; these many lines a second tell the story. */
const linesPerSecond = 5;
const burst = 20;

export class FailureLog {
  private readonly log = new Logger('Delivery');
  private readonly bucket: TokenBucket;
  private suppressed = 0;

  constructor(
    private readonly group: string,
    private readonly clock: Clock,
  ) {
    this.bucket = new TokenBucket(linesPerSecond, burst, clock.elapsedMs());
  }

  /** `suppressed` in a line says how many were left out since the one before. */
  readonly warn = (msg: string, details: object): void => {
    if (this.bucket.take(this.clock.elapsedMs()) > 0) {
      this.suppressed += 1;
      return;
    }
    const { group, suppressed } = this;
    this.suppressed = 0;
    this.log.warn({ msg, group, ...details, ...(suppressed > 0 ? { suppressed } : {}) });
  };
}
