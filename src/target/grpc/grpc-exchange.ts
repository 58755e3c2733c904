// One unary call and its answer. Ends exactly once, with the status that the receiver's trailers bear.
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { constants } from 'node:http2';
import type { Clock, Timer } from '../../message/clock.js';
import type { Delivery } from '../../message/delivery.js';
import type { Outcome } from '../../message/outcome.js';
import type { ReceivedAnswer } from '../../message/reply.js';
import { RefusedTarget } from '../http/egress-guard.js';
import { describe, refusedByGuard } from '../outcomes.js';
import { frameHeadOf, grpcHeadersOf, messageIn as messageInFrames } from './grpc-request.js';
import type { GrpcSession } from './grpc-session.js';
import { mayHold, meaningOf, messageIn, retryAfterMsIn } from './grpc-status.js';

/** What of a failed answer is kept for whoever looks into it. */
const keptTextLength = 1024;
/** A deadline that comes later than this says more of this process than of the receiver. */
const lateMs = 50;
/** The trailers stand behind the body: it is read, and thrown away, up to here. */
const maxReadBytes = 16_777_216;

type Ended = Extract<Outcome, { kind: 'retry' }>;

export interface GrpcExchangeParts {
  readonly clock: Clock;
  readonly session: GrpcSession;
  /** Of the answer's message; null: nobody waits for it. */
  readonly keptBytes: number | null;
  readonly settle: (outcome: Outcome) => void;
}

export class GrpcExchange {
  private readonly startedMs: number;
  private deadline: Timer;
  private stream: ClientHttp2Stream | null = null;
  private head: IncomingHttpHeaders = {};
  private trailers: IncomingHttpHeaders = {};
  private received = 0;
  private kept: Buffer[] | null;
  private hasEnded = false;
  private wasLate = false;

  constructor(
    private readonly delivery: Delivery,
    private readonly parts: GrpcExchangeParts,
  ) {
    const { clock, session, keptBytes } = parts;
    this.kept = keptBytes === null ? null : [];
    this.startedMs = clock.elapsedMs();
    this.deadline = clock.setTimer(delivery.settings.timeoutMs, () => this.expire());
    session.take();
    session.ready.then(
      (connection) => this.begin(connection),
      (error: Error) => this.fail(error),
    );
  }

  abort(): void {
    this.end({ kind: 'aborted' });
  }

  private begin(connection: ClientHttp2Session): void {
    if (this.hasEnded) return;
    const { delivery, parts } = this;
    const { body } = delivery.source;
    try {
      const stream = connection.request(grpcHeadersOf(delivery, parts.clock.now()));
      this.stream = stream;
      stream.on('error', (error) => this.fail(error));
      stream.on('response', (headers) => this.answered(headers));
      stream.on('trailers', (trailers) => {
        this.trailers = trailers;
      });
      stream.on('data', (chunk: Buffer) => this.read(chunk));
      stream.on('end', () => this.finish());
      stream.on('close', () => this.broken());
      stream.write(frameHeadOf(body));
      stream.end(body);
    } catch (error) {
      this.fail(error as Error);
    }
  }

  private answered(headers: IncomingHttpHeaders): void {
    this.head = headers;
    this.parts.session.heardMs = this.parts.clock.elapsedMs();
    // Of an answer without a body the trailers stand in its head.
    if (headers['grpc-status'] !== undefined) this.trailers = headers;
  }

  private read(chunk: Buffer): void {
    this.received += chunk.length;
    const { keptBytes } = this.parts;
    if (keptBytes === null || this.received > keptBytes + 5) this.kept = null;
    else this.kept?.push(chunk);
    if (this.received > maxReadBytes)
      this.end(this.failed('connection', `more than ${maxReadBytes} bytes and no status`));
  }

  private finish(): void {
    const outcome = this.outcome();
    if (outcome !== null) this.end(outcome);
  }

  /** The stream is over. */
  private broken(): void {
    const { stream } = this;
    const reset = stream?.rstCode === undefined || stream.rstCode === 0 ? '' : ` (reset ${stream.rstCode})`;
    this.end(this.outcome() ?? this.failed('connection', `the answer ended without a gRPC status${reset}`));
  }

  /** Null while there is no status. */
  private outcome(): Outcome | null {
    const code = this.trailers['grpc-status'];
    if (code !== undefined) return this.byStatus(String(code));
    const httpStatus = Number(this.head[':status'] ?? 200);
    if (httpStatus === 200) return null;
    return this.judged(httpStatus, `HTTP ${httpStatus}`, '', null);
  }

  private byStatus(code: string): Outcome {
    const { trailers } = this;
    const meaning = meaningOf(code);
    const text = messageIn(trailers['grpc-message']?.toString()).slice(0, keptTextLength);
    const [pushback, details] = ['grpc-retry-pushback-ms', 'grpc-status-details-bin'].map((name) =>
      trailers[name]?.toString(),
    );
    const retryAfterMs = mayHold(meaning) ? retryAfterMsIn(pushback, details) : null;
    return this.judged(meaning.status, `${meaning.name} (${code})`, text, retryAfterMs);
  }

  private judged(status: number, name: string, text: string, retryAfterMs: number | null): Outcome {
    const verdict = this.delivery.settings.verdicts.of(status);
    const whole = this.parts.keptBytes === null ? {} : { whole: this.whole(status) };
    const answer = { status, durationMs: this.durationMs(), body: status < 300 ? '' : text, ...whole };
    if (verdict === 'delivered') return { kind: 'delivered', ...answer };
    const detail = `the receiver answered ${name}${text === '' ? '' : `: ${text}`}`;
    // A receiver that heeds the deadline may say that it is over before we do.
    const reason = name.startsWith('DEADLINE_EXCEEDED') ? 'timeout' : 'status';
    if (verdict === 'retry') return { kind: 'retry', reason, detail, retryAfterMs, ...answer };
    return { kind: 'rejected', detail, retryAfterMs, ...answer };
  }

  /** The answer for whoever waits: the message's bytes, and of a refusal what the trailers say. */
  private whole(status: number): ReceivedAnswer | null {
    const headers: Record<string, string> = {};
    for (const name of ['grpc-status', 'grpc-message', 'grpc-status-details-bin']) {
      const value = this.trailers[name];
      if (value !== undefined) headers[name] = String(value);
    }
    if (headers['grpc-status'] !== '0') return { status, headers, body: Buffer.alloc(0) };
    const isJson = this.head['content-type']?.endsWith('+json') === true;
    headers['content-type'] = isJson ? 'application/json' : 'application/x-protobuf';
    const body = this.kept && messageInFrames(Buffer.concat(this.kept));
    return body && { status, headers, body };
  }

  private fail(error: Error): void {
    if (error instanceof RefusedTarget) this.end(refusedByGuard(error.message, this.durationMs()));
    else this.end(this.outcome() ?? this.failed('connection', describe(error)));
  }

  private expire(): void {
    const { clock, session } = this.parts;
    const { timeoutMs } = this.delivery.settings;
    if (!this.wasLate && this.durationMs() > timeoutMs + lateMs) {
      // The whole process stood still: an answer may lie in the socket, unread.
      this.wasLate = true;
      this.deadline = clock.setTimer(0, () => this.expire());
      return;
    }
    // Nobody heard of it meanwhile: whoever comes next had better have a connection of his own.
    if (session.heardMs < this.startedMs) session.retire();
    this.end(this.failed('timeout', `no answer within ${timeoutMs} ms`));
  }

  private failed(reason: Ended['reason'], detail: string): Ended {
    return { kind: 'retry', reason, detail, retryAfterMs: null, status: 0, durationMs: this.durationMs(), body: '' };
  }

  private end(outcome: Outcome): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.deadline.cancel();
    const { stream } = this;
    if (stream !== null && !stream.closed) stream.close(constants.NGHTTP2_CANCEL);
    this.parts.session.release();
    this.parts.settle(outcome);
  }

  private durationMs(): number {
    return this.parts.clock.elapsedMs() - this.startedMs;
  }
}
