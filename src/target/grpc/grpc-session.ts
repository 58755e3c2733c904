// One HTTP/2 connection to a receiver, which carries all calls to it at the same time.
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../message/clock.js';
import type { Connected, Connector } from '../http/connectors.js';
import { originOf } from '../http/origin.js';

/** Without a call it is closed after this. */
const idleMs = 30_000;

export class GrpcSession {
  /** Rejects when it cannot be made. */
  readonly ready: Promise<ClientHttp2Session>;
  /** Of the clock's elapsed time: when the receiver last said anything. */
  heardMs = 0;
  private socket: Socket | null = null;
  private session: ClientHttp2Session | null = null;
  private calls = 0;
  private idle: Timer | null = null;
  private isRetired = false;

  /** `ended`: it takes no more calls, and is to be forgotten; may be told twice. */
  constructor(
    private readonly origin: string,
    connector: Connector,
    private readonly clock: Clock,
    private readonly ended: () => void,
  ) {
    this.ready = this.connect(connector);
    this.ready.catch(() => this.ended());
  }

  get isIdle(): boolean {
    return this.calls === 0;
  }

  /** One more call; `release` when it has ended. */
  take(): void {
    this.calls += 1;
    this.idle?.cancel();
    this.idle = null;
  }

  release(): void {
    this.calls -= 1;
    if (this.calls > 0) return;
    if (this.isRetired) this.close();
    else this.idle = this.clock.setTimer(idleMs, () => this.retire());
  }

  /** Calls that are under way go on; it closes behind the last of them. */
  retire(): void {
    this.isRetired = true;
    this.ended();
    if (this.isIdle) this.close();
  }

  /** Ends it with whatever is on it. */
  close(): void {
    this.idle?.cancel();
    this.session?.destroy();
    // While it is being made there is no session yet.
    this.socket?.destroy();
  }

  private get httpOrigin(): string {
    return this.origin.replace('grpc', 'http');
  }

  private connect(connector: Connector): Promise<ClientHttp2Session> {
    const origin = originOf(this.httpOrigin);
    const isTls = origin.protocol === 'https:';
    return new Promise((resolve, reject) => {
      const made: Connected = (error, socket) => {
        if (error !== null) reject(error);
        else if (isTls && (socket as { alpnProtocol?: unknown }).alpnProtocol !== 'h2') {
          socket.destroy();
          reject(new Error('the receiver speaks no HTTP/2'));
        } else resolve(this.begin(socket));
      };
      // The declared type hides what it returns.
      this.socket = connector(origin, made) as unknown as Socket;
    });
  }

  private begin(socket: Socket): ClientHttp2Session {
    const session = connectHttp2(this.httpOrigin, {
      createConnection: () => socket,
      settings: { enablePush: false },
    });
    this.session = session;
    // Its calls hear of it each by themselves.
    session.on('error', () => undefined);
    session.once('goaway', () => this.ended());
    session.once('close', () => this.ended());
    return session;
  }
}
