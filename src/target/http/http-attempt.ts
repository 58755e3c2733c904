// One attempt over HTTP: a request and its answer, on a connection of its pool, within its deadline.
import type { Clock, Timer } from '../../message/clock.js';
import type { DeliverySettings } from '../../message/delivery.js';
import type { Outcome } from '../../message/outcome.js';
import { describe, refusedByGuard } from '../outcomes.js';
import type { AnswerHeaders } from './answer-parser.js';
import type { AnswerReader } from './answer-reader.js';
import type { Connection, Exchange } from './connection.js';
import type { ConnectionPool } from './connection-pool.js';
import { RefusedTarget } from './egress-guard.js';
import { type HttpRequest, piecesOf } from './request-bytes.js';
import { retryAfterMs } from './retry-after.js';

/** What of a failed answer is kept for whoever looks into it. */
const keptAnswerBytes = 1024;
/** A deadline that comes later than this says more of this process than of the receiver. */
const lateMs = 50;

export type AttemptSettings = Pick<DeliverySettings, 'timeoutMs' | 'verdicts' | 'maxAnswerBytes'>;

/**
 * One request and its answer. Ends exactly once: with the status once the head of an answer has come, since
 * the receiver has then decided, even if the rest of its answer is late, endless or broken off.
 */
export class HttpAttempt implements Exchange {
  private readonly startedMs: number;
  private deadline: Timer;
  private readonly connection: Connection;
  private status = 0;
  private retryAfterMs: number | null = null;
  private received = 0;
  private kept: Buffer[] = [];
  private isOver = false;
  private wasLate = false;

  constructor(
    private readonly clock: Clock,
    private readonly settings: AttemptSettings,
    private readonly pool: ConnectionPool,
    /** Set where somebody wants more of the answer than how it ended. */
    private readonly whole: AnswerReader | null,
    private readonly settle: (outcome: Outcome) => void,
  ) {
    this.connection = pool.take();
    this.startedMs = clock.elapsedMs();
    this.deadline = clock.setTimer(settings.timeoutMs, () => this.expire());
  }

  /** What cannot be made into a request, or not be sent, ends the attempt. */
  start(request: () => HttpRequest): void {
    try {
      this.connection.send(piecesOf(request(), this.pool.origin.host), this);
    } catch (error) {
      this.failed(error as Error);
    }
  }

  abort(): void {
    this.cut(this.status === 0 ? { kind: 'aborted' } : this.byStatus());
  }

  head(status: number, headers: AnswerHeaders): void {
    this.status = status;
    this.whole?.begin(headers);
    if (status === 429 || status === 503)
      this.retryAfterMs = retryAfterMs(headers.get('retry-after'), this.clock.now());
  }

  data(piece: Buffer): void {
    if (this.received < keptAnswerBytes && this.status >= 300) {
      this.kept.push(Buffer.from(piece.subarray(0, keptAnswerBytes - this.received)));
    }
    this.received += piece.length;
    // A body that somebody waits for is read as long as it may be passed on.
    const isWanted = this.whole?.add(piece) === true;
    if (this.received > this.settings.maxAnswerBytes && !isWanted) this.cut(this.byStatus());
  }

  ended(mayGoOn: boolean): void {
    if (!mayGoOn) this.cut(this.byStatus(true));
    else if (this.end(this.byStatus(true))) this.pool.release(this.connection);
  }

  failed(error: Error): void {
    if (error instanceof RefusedTarget) {
      this.cut(refusedByGuard(error.message, this.durationMs()));
      return;
    }
    this.cut(this.status === 0 ? this.unanswered('connection', describe(error)) : this.byStatus());
  }

  private expire(): void {
    if (!this.wasLate && this.durationMs() > this.settings.timeoutMs + lateMs) {
      // The whole process stood still: an answer may lie in the socket, unread.
      this.wasLate = true;
      this.deadline = this.clock.setTimer(0, () => this.expire());
      return;
    }
    const outcome =
      this.status === 0
        ? this.unanswered('timeout', `no answer within ${this.settings.timeoutMs} ms`)
        : this.byStatus();
    this.cut(outcome);
  }

  /** Ends now; the connection is not used again. */
  private cut(outcome: Outcome): void {
    if (this.end(outcome)) this.pool.cut(this.connection);
  }

  /** False when it had ended before. */
  private end(outcome: Outcome): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    this.deadline.cancel();
    this.settle(outcome);
    return true;
  }

  private byStatus(isWhole = false): Outcome {
    const { status } = this;
    const body = this.kept.length === 0 ? '' : Buffer.concat(this.kept).toString('utf8');
    const whole = this.whole === null ? {} : { whole: isWhole ? this.whole.whole(status) : null };
    const answer = { status, durationMs: this.durationMs(), body, ...whole };
    const verdict = this.settings.verdicts.of(status);
    if (verdict === 'delivered') return { kind: 'delivered', ...answer };
    const detail = `the receiver answered ${status}`;
    if (verdict === 'retry') {
      return { kind: 'retry', reason: 'status', detail, retryAfterMs: this.retryAfterMs, ...answer };
    }
    return { kind: 'rejected', detail, retryAfterMs: this.retryAfterMs, ...answer };
  }

  private unanswered(reason: 'timeout' | 'connection', detail: string): Outcome {
    return { kind: 'retry', reason, detail, retryAfterMs: null, status: 0, durationMs: this.durationMs(), body: '' };
  }

  private durationMs(): number {
    return this.clock.elapsedMs() - this.startedMs;
  }
}
