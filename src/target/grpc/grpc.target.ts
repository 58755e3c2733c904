// Sends a delivery as a unary gRPC call of any method, and reads the answer, whatever the other side does.
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { Clock } from '../../message/clock.js';
import type { Delivery } from '../../message/delivery.js';
import type { Outcome } from '../../message/outcome.js';
import { Egress } from '../http/egress.js';
import { refusedByGuard } from '../outcomes.js';
import { RunningAttempts } from '../running-attempts.js';
import { Target } from '../target.js';
import { GrpcExchange } from './grpc-exchange.js';
import { GrpcSession } from './grpc-session.js';

/** Connections without a call, some 50 KB each; who calls more receivers than these in turn connects anew each time. */
const maxSessions = 1024;

/**
 * The protocol is spoken here, on Node's HTTP/2, since the egress guard must judge the address of every connection as it is
 * made, and retries, waits and limits are the dispatcher's.
 */
@Injectable()
export class GrpcTarget extends Target implements OnApplicationBootstrap {
  private readonly running = new RunningAttempts();
  /** By origin; those that take no more calls are not in here. */
  private readonly sessions = new Map<string, GrpcSession>();
  private readonly egress: Egress;

  constructor(
    private readonly clock: Clock,
    private readonly configWatch: ConfigWatch,
  ) {
    super();
    this.egress = new Egress(configWatch, clock, 'h2', () => {
      for (const session of this.sessions.values()) session.retire();
    });
  }

  onApplicationBootstrap(): void {
    this.egress.watch();
  }

  override send(delivery: Delivery, signal: AbortSignal): Promise<Outcome> {
    if (signal.aborted) return Promise.resolve({ kind: 'aborted' });
    const { origin } = delivery.url;
    const against = this.egress.against(origin);
    if (against !== null) return Promise.resolve(refusedByGuard(`${origin}: ${against}`, 0));
    const keptBytes = this.keptBytesOf(delivery);
    const running = this.running.under(signal);
    return new Promise((resolve) => {
      const settle = (outcome: Outcome) => {
        running.end(started);
        resolve(outcome);
      };
      const exchange = new GrpcExchange(delivery, {
        clock: this.clock,
        session: this.sessionTo(origin),
        keptBytes,
        settle,
      });
      const started = running.begin(exchange);
    });
  }

  override async close(): Promise<void> {
    this.egress.close();
    for (const session of this.sessions.values()) session.close();
  }

  /** Of the answer; null: nobody wants it. */
  private keptBytesOf({ replyTo, callbackUrl, settings }: Delivery): number | null {
    if (settings.keepsAnswer) return settings.maxAnswerBytes;
    return replyTo !== null || callbackUrl !== null ? this.configWatch.settings.reply.maxBytes : null;
  }

  private sessionTo(origin: string): GrpcSession {
    const known = this.sessions.get(origin);
    if (known !== undefined) return known;
    if (this.sessions.size >= maxSessions) [...this.sessions.values()].find(({ isIdle }) => isIdle)?.retire();
    const session: GrpcSession = new GrpcSession(origin, this.egress.connectors.of(origin), this.clock, () => {
      if (this.sessions.get(origin) === session) this.sessions.delete(origin);
    });
    this.sessions.set(origin, session);
    return session;
  }
}
