// One caller's connection: writes a prebuilt request, reads the answer by its content-length, judges it.
import { connect, type Socket } from 'node:net';
import type { CallRequest } from './call-body.ts';

const okStart = /^HTTP\/1\.1 20[02] /;
const contentLength = /\r\ncontent-length: *(\d+)/i;

/** Null for HTTP 200 or 202, and errno 0 where there is one, else what came instead. */
type OnAnswer = (fault: string | null) => void;

export class LoadConnection {
  readonly request: CallRequest;
  private readonly socket: Socket;
  private text = '';
  private onAnswer: OnAnswer | null = null;

  private constructor(socket: Socket, request: CallRequest) {
    this.socket = socket;
    this.request = request;
    // latin1 keeps one character a byte, so lengths are right; what is looked for is ASCII.
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => this.read(chunk as unknown as string));
    socket.on('error', (error) => this.answered(error.message));
    socket.on('close', () => this.answered('the connection was closed'));
  }

  static open(port: number, request: CallRequest): Promise<LoadConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new LoadConnection(socket, request));
      });
    });
  }

  get isOpen(): boolean {
    return !this.socket.destroyed;
  }

  /** One at a time. */
  send(onAnswer: OnAnswer): void {
    this.onAnswer = onAnswer;
    this.socket.write(this.request.bytes);
  }

  close(): void {
    this.socket.destroy();
  }

  private read(chunk: string): void {
    const text = this.text === '' ? chunk : this.text + chunk;
    this.text = text;
    const headEnd = text.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const length = contentLength.exec(text)?.[1];
    if (length === undefined) {
      this.socket.destroy(new Error(`an answer without content-length: ${text.slice(0, headEnd)}`));
      return;
    }
    if (text.length < headEnd + 4 + Number(length)) return;
    this.text = '';
    // Only the original's door says in the body what became of it.
    const errno = text.indexOf('"errno":', headEnd);
    const isGood = okStart.test(text) && (errno === -1 || text.startsWith('"errno":0,', errno));
    this.answered(isGood ? null : text.slice(0, 500));
  }

  private answered(fault: string | null): void {
    const { onAnswer } = this;
    this.onAnswer = null;
    onAnswer?.(fault);
  }
}
