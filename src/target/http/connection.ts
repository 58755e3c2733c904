// A place for one request at a time to one origin, and the socket that it goes over.
import type { Socket } from 'node:net';
import { Link } from '../../message/linked-set.js';
import { type AnswerHeaders, AnswerParser, BrokenAnswer } from './answer-parser.js';
import { AtTurnsEnd } from './at-turns-end.js';
import type { Connector } from './connectors.js';
import type { Origin } from './origin.js';
import type { RequestPieces } from './request-bytes.js';

/** Told of one request; `ended` or `failed` come once and last, unless it is cut. */
export interface Exchange {
  head(status: number, headers: AnswerHeaders): void;
  /** Valid during the call only. */
  data(piece: Buffer): void;
  /** The whole answer is there. `mayGoOn`: the connection may be used again. */
  ended(mayGoOn: boolean): void;
  failed(error: Error): void;
}

/** How long before the receiver would close it, as far as it has said. */
const closesEarlierMs = 1000;

/** Requests on sockets that were used before go out together, at the end of the loop's turn. */
const writes = new AtTurnsEnd<Connection>((connection) => connection.write());

export class Connection {
  /** While it is idle: until then, of the clock's elapsed time. Whose list it is in keeps it. */
  idleUntilMs = 0;
  /** Its place among the idle ones. */
  readonly link = new Link<Connection>(this);
  private socket: Socket | null = null;
  private isOpen = false;
  private isCut = false;
  private exchange: Exchange | null = null;
  /** Not written yet. */
  private request: RequestPieces | null = null;
  private readonly parser: AnswerParser;
  /** As the receiver has said it last, and what that means. */
  private keepAlive: string | undefined;
  private keepAliveMs = Number.POSITIVE_INFINITY;

  constructor(
    private readonly origin: Origin,
    private readonly connector: Connector,
    /** It is of no more use while nothing is asked of it. */
    private readonly gone: (connection: Connection) => void,
  ) {
    this.parser = new AnswerParser({
      head: (status, headers) => this.head(status, headers),
      data: (piece) => this.exchange?.data(piece),
      end: (mayGoOn) => this.ended(mayGoOn),
    });
  }

  /** How long the receiver keeps it open without a request, as far as it has said. */
  get keptMs(): number {
    return this.keepAliveMs;
  }

  /** Nothing is under way on it. */
  send(request: RequestPieces, exchange: Exchange): void {
    this.exchange = exchange;
    this.request = request;
    if (this.socket === null) this.open();
    // Only then is everything read that the receiver has said or done meanwhile: it may have closed the connection.
    else writes.add(this);
  }

  /** Nobody is to use it any more. */
  giveUp(): void {
    this.gone(this);
  }

  /** Ends it with whatever is on it, also while it is still being made. Nobody is told. */
  cut(): void {
    this.isCut = true;
    this.exchange = null;
    this.request = null;
    this.parser.stop();
    this.socket?.destroy();
  }

  /** Of what waits for the end of the turn. */
  write(): void {
    const { socket, request } = this;
    // One that is closed already says so in a moment, and the request goes over another.
    if (request === null || socket === null || !this.isOpen || socket.destroyed) return;
    this.request = null;
    this.parser.begin();
    if (request.rest === null) {
      socket.write(request.first);
      return;
    }
    socket.cork();
    socket.write(request.first);
    socket.write(request.rest);
    socket.uncork();
  }

  private open(): void {
    this.isOpen = false;
    this.keepAlive = undefined;
    this.keepAliveMs = Number.POSITIVE_INFINITY;
    // The declared type hides what it returns.
    const socket = this.connector(this.origin, (...[error]) => {
      if (this.isCut) return;
      if (error !== null) this.fail(error);
      else this.opened(socket);
    }) as unknown as Socket;
    this.socket = socket;
  }

  private opened(socket: Socket): void {
    this.isOpen = true;
    socket.on('data', (bytes: Buffer) => this.read(socket, bytes));
    socket.on('end', () => this.otherSideEnded(socket));
    socket.on('error', (error) => this.lost(socket, error));
    socket.on('close', () => this.lost(socket, new BrokenAnswer('the connection was closed')));
    this.write();
  }

  private read(socket: Socket, bytes: Buffer): void {
    if (socket !== this.socket || this.isCut) return;
    if (this.exchange === null || this.request !== null) {
      // An answer to nothing: what comes next would be taken for the answer to the next request.
      this.lost(socket, new BrokenAnswer('an answer that nobody had asked for'));
      return;
    }
    try {
      this.parser.take(bytes);
    } catch (error) {
      this.fail(error as Error);
    }
  }

  private otherSideEnded(socket: Socket): void {
    if (socket !== this.socket || this.isCut) return;
    if (this.exchange === null || this.request !== null) {
      this.lost(socket, new BrokenAnswer('the other side closed the connection'));
      return;
    }
    try {
      this.parser.ended();
    } catch (error) {
      this.fail(error as Error);
    }
  }

  /** The socket is of no more use. */
  private lost(socket: Socket, error: Error): void {
    if (socket !== this.socket || this.isCut) return;
    socket.destroy();
    // Nothing of this request has been seen by anybody.
    if (this.request !== null) this.open();
    else if (this.exchange !== null) this.fail(error);
    else this.giveUp();
  }

  private head(status: number, headers: AnswerHeaders): void {
    const keepAlive = headers.get('keep-alive');
    if (keepAlive !== this.keepAlive) {
      this.keepAlive = keepAlive;
      this.keepAliveMs = keptMsOf(keepAlive);
    }
    this.exchange?.head(status, headers);
  }

  private ended(mayGoOn: boolean): void {
    const { exchange, socket } = this;
    this.exchange = null;
    // What is still to be sent of a request that was answered before is in the next one's way.
    exchange?.ended(mayGoOn && socket?.writableLength === 0 && this.keepAliveMs > 0);
  }

  private fail(error: Error): void {
    const { exchange } = this;
    this.exchange = null;
    this.request = null;
    this.parser.stop();
    exchange?.failed(error);
  }
}

/** `Keep-Alive: timeout=5`, in seconds. */
function keptMsOf(keepAlive: string | undefined): number {
  const seconds = /(?:^|,)[\t ]*timeout=(\d{1,9})/i.exec(keepAlive ?? '')?.[1];
  return seconds === undefined ? Number.POSITIVE_INFINITY : Number(seconds) * 1000 - closesEarlierMs;
}
