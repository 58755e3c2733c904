// A request whose body can be had whole, past its stream: the events, queues and ticks of a stream cost more than reading the call.
import { IncomingMessage } from 'node:http';
import { isCutOut } from '../message/message.js';

interface Taker {
  readonly whole: (body: Buffer) => void;
  readonly broken: () => void;
}

/**
 * Node's parser hands each piece of a body to `push`, as it would to any stream, and null behind the last: an HTTP/1 server makes
 * its requests of this class by its option `IncomingMessage`. Until somebody takes the body it is a stream as any other.
 */
export class WholeRequest extends IncomingMessage {
  private taker: Taker | null = null;
  private pieces: Buffer[] = [];
  private isWhole = false;

  /**
   * Before anything else reads it, and in the turn in which the request came: one of the two is called once, when all bytes are
   * there or when the connection ends before. Who takes it has looked at its content-length: nothing here bounds it.
   */
  takeBody(whole: (body: Buffer) => void, broken: () => void): void {
    this.taker = { whole, broken };
    // What a stream does at its first reader: nothing is to be thrown away once the answer is sent.
    this._read(0);
  }

  override push(piece: Buffer | null): boolean {
    const { taker, pieces } = this;
    if (taker === null) return super.push(piece);
    if (piece !== null) {
      pieces.push(piece);
      return true;
    }
    this.taker = null;
    this.pieces = [];
    this.isWhole = true;
    taker.whole(bodyOf(pieces));
    return false;
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const { taker } = this;
    this.taker = null;
    super._destroy(error, callback);
    taker?.broken();
  }

  static {
    // A property to TypeScript, an accessor to Node, which lets go of a request that has ended.
    const ended = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(IncomingMessage.prototype), 'readableEnded');
    Object.defineProperty(WholeRequest.prototype, 'readableEnded', {
      configurable: true,
      get(this: WholeRequest): boolean {
        return this.isWhole || (ended?.get?.call(this) as boolean);
      },
    });
  }
}

function bodyOf(pieces: readonly Buffer[]): Buffer {
  const first = pieces[0];
  if (pieces.length !== 1 || first === undefined) return Buffer.concat(pieces);
  // A piece of one read of the socket keeps all of that read in memory.
  return isCutOut({ body: first }) ? Buffer.from(first) : first;
}
