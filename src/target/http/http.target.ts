// Sends a delivery as an HTTP POST and reads the answer, whatever the other side does.
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { Clock } from '../../message/clock.js';
import type { Delivery } from '../../message/delivery.js';
import type { Outcome } from '../../message/outcome.js';
import { defaultVerdicts } from '../../message/verdict.js';
import { refusedByGuard } from '../outcomes.js';
import { RunningAttempts } from '../running-attempts.js';
import { type ConsentQuestion, type ConsentReply, Target } from '../target.js';
import type { AnswerReader } from './answer-reader.js';
import { ConnectionPool } from './connection-pool.js';
import { ConsentHeaders } from './consent-headers.js';
import { Egress } from './egress.js';
import { type AttemptSettings, HttpAttempt } from './http-attempt.js';
import { consentHeadersOf, headersOf } from './http-request.js';
import { IdleConnections } from './idle-connections.js';
import { KeptAnswer } from './kept-answer.js';
import { type HttpRequest } from './request-bytes.js';

/** Of the answer to a question nothing but the head is of interest: a short body is read so that the connection can be used again. */
const maxConsentBytes = 16_384;

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
    settings: AttemptSettings,
    reader: AnswerReader | null,
    signal: AbortSignal,
    origin: string,
    request: () => HttpRequest,
  ): Promise<Outcome> {
    const running = this.running.under(signal);
    const pool = this.poolOf(origin);
    return new Promise((resolve) => {
      const attempt = new HttpAttempt(this.clock, settings, pool, reader, (outcome) => {
        running.end(started);
        resolve(outcome);
      });
      const started = running.begin(attempt);
      attempt.start(request);
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
