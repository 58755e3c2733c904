// A connection that sends any request and gives back what was answered; for doors whose requests are all different.
import { connect, type Socket } from 'node:net';

const contentLength = /\r\ncontent-length: *(\d+)/i;

export interface Asked {
  readonly path: string;
  readonly headers: readonly string[];
  readonly body: string;
}

export class AskingConnection {
  private readonly socket: Socket;
  private text = '';
  private onAnswer: (text: string) => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => this.read(chunk as unknown as string));
  }

  static open(port: number): Promise<AskingConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new AskingConnection(socket)));
    });
  }

  /** One POST at a time; head and body of the answer. */
  ask({ path, headers, body }: Asked): Promise<string> {
    return new Promise((resolve) => {
      this.onAnswer = resolve;
      const head = [`POST ${path} HTTP/1.1`, 'host: bench', `content-length: ${Buffer.byteLength(body)}`, ...headers];
      this.socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private read(chunk: string): void {
    this.text += chunk;
    const headEnd = this.text.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const length = Number(contentLength.exec(this.text)?.[1] ?? 0);
    if (this.text.length < headEnd + 4 + length) return;
    const { text } = this;
    this.text = '';
    this.onAnswer(text);
  }
}
