// Log lines about deliveries that fail: enough to see why, never as many as there are failures.
import { Logger } from '@nestjs/common';
import type { Clock } from '../message/clock.js';
import { TokenBucket } from '../policy/token-bucket.js';

/** A subscription whose receiver is down fails as often as it may send; these many lines a second tell the story. */
const linesPerSecond = 5;
const burst = 20;

export class FailureLog {
  private readonly log = new Logger('Delivery');
  /** By text: what is rare is not drowned by what is frequent. There are some twenty texts. */
  private readonly kinds = new Map<string, { readonly bucket: TokenBucket; suppressed: number }>();

  constructor(
    private readonly group: string,
    private readonly clock: Clock,
  ) {}

  /** `suppressed` in a line says how many of its text were left out since the one before. */
  readonly warn = (msg: string, details: object): void => {
    const nowMs = this.clock.elapsedMs();
    const kind = this.kinds.get(msg) ?? { bucket: new TokenBucket(linesPerSecond, burst, nowMs), suppressed: 0 };
    this.kinds.set(msg, kind);
    if (kind.bucket.take(nowMs) > 0) {
      kind.suppressed += 1;
      return;
    }
    const { suppressed } = kind;
    kind.suppressed = 0;
    this.log.warn({ msg, group: this.group, ...details, ...(suppressed > 0 ? { suppressed } : {}) });
  };
}
