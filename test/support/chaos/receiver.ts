// A receiver that notes every request in the books and behaves as it is told: well, slow, failing, silent, gone, lying.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ReturningServer } from '../returning-server.ts';
import type { Seeded } from '../seeded.ts';
import type { Attempt, Books, Ending } from './books.ts';
import { bodyOf } from './call-name.ts';

/** `rejects`: says never. `silent`: never answers. `gone`: refuses connections. `lies`: answers that break the protocol. */
export const moods = ['well', 'slow', 'fails', 'rejects', 'silent', 'gone', 'lies'] as const;
export type Mood = (typeof moods)[number];

export interface Behaviour {
  readonly mood: Mood;
  /** Of the requests that get it; the others are treated well. From 0 to 1. */
  readonly share: number;
  /** Answers come after a random wait of at most so many milliseconds, longer when slow. */
  readonly delayMs: number;
}

export const wellBehaved: Behaviour = { mood: 'well', share: 1, delayMs: 0 };

const slowFactor = 20;

/** What is written instead of an answer, and whether bigpipe may take it for one. */
const lies: readonly { readonly text: string; readonly ending: Ending }[] = [
  { text: '', ending: 'broken' },
  { text: 'HTTP/1.1 200 OK\r\nContent-Le', ending: 'broken' },
  { text: '\0\xffI am not HTTP\r\n\r\n', ending: 'broken' },
  { text: 'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n', ending: 'broken' },
  { text: 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nten bytes.', ending: 'delivered' },
  { text: 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nmuch more than one byte', ending: 'delivered' },
  { text: 'HTTP/1.1 500 Oh\r\ncontent-length: 100\r\n\r\nten bytes.', ending: 'failed' },
];

export class ChaosReceiver {
  behaviour: Behaviour = wellBehaved;
  private readonly number: number;
  private readonly books: Books;
  private readonly random: Seeded;
  private readonly bodyBytes: number;
  private readonly server = new ReturningServer((request, response) => this.received(request, response));

  private constructor(number: number, books: Books, random: Seeded, bodyBytes: number) {
    this.number = number;
    this.books = books;
    this.random = random;
    this.bodyBytes = bodyBytes;
  }

  static async start(number: number, books: Books, random: Seeded, bodyBytes: number): Promise<ChaosReceiver> {
    const receiver = new ChaosReceiver(number, books, random, bodyBytes);
    await receiver.server.open();
    return receiver;
  }

  /** The same also while it is gone. */
  get url(): string {
    return this.server.url;
  }

  async become(behaviour: Behaviour): Promise<void> {
    this.behaviour = behaviour;
    if (behaviour.mood === 'gone') {
      this.books.unreachable(this.number);
      await this.close();
    } else if (!this.server.isOpen) {
      await this.server.open();
      this.books.reachable(this.number);
    }
  }

  async close(): Promise<void> {
    await this.server.close();
  }

  private received(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => undefined);
    // On a machine that is busy a request may be read long after its sender gave it up, and after the next attempt.
    request.once('end', () =>
      setImmediate(() => {
        if (!request.socket.destroyed && !request.socket.readableEnded) this.arrived(request, response, chunks);
      }),
    );
  }

  private arrived({ headers, socket }: IncomingMessage, response: ServerResponse, chunks: readonly Buffer[]): void {
    const id = String(headers['bigpipe-message-id']);
    const attempt = this.books.arrives({
      id,
      attempt: Number(headers['bigpipe-attempt']),
      maxAttempts: Number(headers['bigpipe-max-attempts']),
      redelivery: (headers['bigpipe-redelivery'] as string | undefined) ?? null,
      isWhole: Buffer.concat(chunks).toString() === bodyOf(id, this.bodyBytes),
    });
    // The other side has gone, or we cut it: nobody waits for the answer any more.
    response.once('close', () => this.books.ended(attempt, 'broken'));
    this.treat(attempt, response, socket);
  }

  private treat(attempt: Attempt, response: ServerResponse, socket: Socket): void {
    const { mood, share, delayMs } = this.behaviour;
    const isWell = this.random.next() >= share;
    const treatment = isWell ? 'well' : mood;
    const waitMs = this.random.next() * delayMs * (treatment === 'slow' ? slowFactor : 1);
    if (treatment === 'silent' || treatment === 'gone') return;
    const lie = this.random.pick(lies);
    const answer = () => {
      if (attempt.isOver || socket.destroyed) return;
      if (treatment === 'lies') this.lie(attempt, lie, socket);
      else this.answer(attempt, treatment, response);
    };
    if (waitMs < 1) answer();
    else setTimeout(answer, waitMs);
  }

  private answer(attempt: Attempt, treatment: Mood, response: ServerResponse): void {
    if (treatment === 'fails') {
      this.books.ended(attempt, 'failed');
      response.writeHead(500).end();
    } else if (treatment === 'rejects') {
      this.books.ended(attempt, 'rejected');
      response.writeHead(410).end();
    } else {
      this.books.ended(attempt, 'delivered');
      response.end();
    }
  }

  private lie(attempt: Attempt, { text, ending }: (typeof lies)[number], socket: Socket): void {
    this.books.ended(attempt, ending);
    if (text === '') socket.resetAndDestroy();
    else socket.end(text, 'latin1', () => socket.destroy());
  }
}
