// Sends a delivery as an HTTP POST and reads the answer, whatever the other side does.
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { Clock, type Timer } from '../../message/clock.js';
import type { Delivery, DeliverySettings } from '../../message/delivery.js';
import type { Outcome } from '../../message/outcome.js';
import { defaultVerdicts } from '../../message/verdict.js';
import { describe, refusedByGuard } from '../outcomes.js';
import { RunningAttempts } from '../running-attempts.js';
import { type ConsentQuestion, type ConsentReply, Target } from '../target.js';
import type { AnswerHeaders } from './answer-parser.js';
import type { AnswerReader } from './answer-reader.js';
import type { Connection, Exchange } from './connection.js';
import { ConnectionPool } from './connection-pool.js';
import { ConsentHeaders } from './consent-headers.js';
import { Egress } from './egress.js';
import { RefusedTarget } from './egress-guard.js';
import { consentHeadersOf, headersOf } from './http-request.js';
import { IdleConnections } from './idle-connections.js';
import { KeptAnswer } from './kept-answer.js';
import { type HttpRequest, piecesOf } from './request-bytes.js';
import { retryAfterMs } from './retry-after.js';

/** What of a failed answer is kept for whoever looks into it. */
const keptAnswerBytes = 1024;
/** A deadline that comes later than this says more of this process than of the receiver. */
const lateMs = 50;
/** Of the answer to a question nothing but the head is of interest: a short body is read so that the connection can be used again. */
const maxConsentBytes = 16_384;
type ExchangeSettings = Pick<DeliverySettings, 'timeoutMs' | 'verdicts' | 'maxAnswerBytes'>;

@Injectable()
export class HttpTarget extends Target implements OnApplicationBootstrap {
  private readonly running = new RunningAttempts();
  private pools = new Map<string, ConnectionPool>();
  /** Their connections are in use still, and were made under settings of before. */
  private readonly retired = new Set<ConnectionPool>();
  private readonly idle: IdleConnections;
  private readonly egress: Egress;

  constructor(
    private readonly clock: Clock,
    private readonly configWatch: ConfigWatch,
  ) {
    super();
    this.idle = new IdleConnections(clock);
    this.egress = new Egress(configWatch, clock, 'http/1.1', () => this.retirePools());
  }

  /** The log is there by then. */
  onApplicationBootstrap(): void {
    this.egress.watch();
  }

  override send(delivery: Delivery, signal: AbortSignal): Promise<Outcome> {
    if (signal.aborted) return Promise.resolve({ kind: 'aborted' });
    const { origin } = delivery.url;
    const against = this.egress.against(origin);
    if (against !== null) return Promise.resolve(refusedByGuard(`${origin}: ${against}`, 0));
    return this.exchange(delivery.settings, this.keptAnswerOf(delivery), signal, origin, () => ({
      path: delivery.url.path,
      method: 'POST',
      headers: headersOf(delivery, this.clock.now(), this.nameFor(delivery)),
      body: delivery.source.body,
    }));
  }

  override async ask(question: ConsentQuestion, signal: AbortSignal): Promise<ConsentReply> {
    const { url, timeoutMs } = question;
    const reader = new ConsentHeaders();
    const against = this.egress.against(url.origin);
    const outcome: Outcome = signal.aborted
      ? { kind: 'aborted' }
      : against !== null
        ? refusedByGuard(`${url.origin}: ${against}`, 0)
        : await this.exchange(
            { timeoutMs, verdicts: defaultVerdicts, maxAnswerBytes: maxConsentBytes },
            reader,
            signal,
            url.origin,
            () => ({ path: url.path, method: 'OPTIONS', headers: consentHeadersOf(question), body: null }),
          );
    return { outcome, allowedOrigin: reader.allowedOrigin, allowedRate: reader.allowedRate };
  }

  override async close(): Promise<void> {
    this.egress.close();
    for (const pool of [...this.pools.values(), ...this.retired]) pool.close();
    this.idle.close();
  }

  private exchange(
    settings: ExchangeSettings,
    reader: AnswerReader | null,
    signal: AbortSignal,
    origin: string,
    request: () => HttpRequest,
  ): Promise<Outcome> {
    const running = this.running.under(signal);
    const pool = this.poolOf(origin);
    return new Promise((resolve) => {
      const exchange = new Attempt(this.clock, settings, pool, reader, (outcome) => {
        running.delete(exchange);
        resolve(outcome);
      });
      running.add(exchange);
      exchange.start(request);
    });
  }

  /** Who has agreed to deliveries finds in each of them to whose. */
  private nameFor({ settings }: Delivery): string | null {
    return settings.needsConsent === true ? this.configWatch.settings.webhook.origin : null;
  }

  private keptAnswerOf({ replyTo, callbackUrl, settings }: Delivery): KeptAnswer | null {
    if (settings.keepsAnswer) return new KeptAnswer(settings.maxAnswerBytes);
    const isWanted = replyTo !== null || callbackUrl !== null;
    return isWanted ? new KeptAnswer(this.configWatch.settings.reply.maxBytes) : null;
  }

  private poolOf(origin: string): ConnectionPool {
    let pool = this.pools.get(origin);
    if (pool === undefined) {
      const made = new ConnectionPool(origin, this.egress.connectors.of(origin), this.idle, () => {
        if (!this.retired.delete(made)) this.pools.delete(origin);
      });
      pool = made;
      this.pools.set(origin, pool);
    }
    return pool;
  }

  /** No connection that was made under other rules, or with other certificates, is used for another request. */
  private retirePools(): void {
    const { pools } = this;
    this.pools = new Map();
    for (const pool of pools.values()) {
      this.retired.add(pool);
      pool.retire();
    }
  }
}

/**
 * One request and its answer. Ends exactly once: with the status once the head of an answer has come, since
 * the receiver has then decided, even if the rest of its answer is late, endless or broken off.
 */
class Attempt implements Exchange {
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
    private readonly settings: ExchangeSettings,
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
