// Callers that wait for the receiver's answer: from before the message is stored to the answer, or to the end of their patience.
import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Injectable } from '@nestjs/common';
import { ConfigWatch } from '../config-watch/config-watch.js';
import { Clock } from '../message/clock.js';
import { messageHeader } from '../message/message.js';
import type { Reply } from '../message/reply.js';
import { type Expected, Replies } from '../reply/replies.js';
import type { DoorReply, DoorRequest } from './exchange.js';

/** `answered` by the receiver, or `failed`; absent from answers that are bigpipe's own. */
export const replyHeader = 'bigpipe-reply';
/** Of whatever a caller may write. */
const longestWaitS = 3600;

/** Milliseconds; null for what is no number of seconds. */
export function waitMsOf(seconds: unknown): number | null {
  return typeof seconds === 'number' && seconds >= 0 && seconds <= longestWaitS ? Math.ceil(seconds * 1000) : null;
}

/** Of a Prefer header (RFC 7240); 0 where it asks for no wait. */
export function waitMsIn(prefer: string | readonly string[] | undefined): number {
  const seconds = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,4})"?\s*(?:$|[,;])/i.exec(String(prefer ?? ''))?.[1];
  return waitMsOf(Math.min(longestWaitS, Number(seconds ?? 0))) ?? 0;
}

/** Answers that were held back for a receiver's. */
const held = new WeakSet<ServerResponse>();

export const hasWaited = (answer: ServerResponse): boolean => held.has(answer);

/** Nothing comes on the connection meanwhile, and that is no reason to close it. Of a request that a worker handed over the worker has the connection. */
export function stayOpen(socket: Socket): () => void {
  if (!(socket instanceof Socket)) return () => undefined;
  const idleMs = socket.timeout ?? 0;
  socket.setTimeout(0);
  return () => {
    if (!socket.destroyed) socket.setTimeout(idleMs);
  };
}

@Injectable()
export class WaitingRoom {
  constructor(
    private readonly replies: Replies,
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
  ) {}

  /** The reply to a message that was sent before, if it is kept or comes in time. Rejects with `unavailable`. */
  async find(
    { raw: { socket } }: DoorRequest,
    { raw: answer }: DoorReply,
    id: string,
    wantedMs: number,
  ): Promise<Reply | null> {
    const leave = stayOpen(socket);
    const gone = new AbortController();
    answer.once('close', () => gone.abort());
    try {
      return await this.replies.find(id, this.boundedMs(wantedMs), gone.signal);
    } finally {
      leave();
    }
  }

  /**
   * Notes in the headers of the message, which has its id, where the reply is to go. Null when nobody may wait now: the caller
   * is answered as one who did not ask to.
   */
  begin(
    { raw: { socket } }: DoorRequest,
    { raw: answer }: DoorReply,
    headers: Record<string, string>,
    wantedMs: number,
  ): WaitingCaller | null {
    const { replies, clock } = this;
    const waitMs = this.boundedMs(wantedMs);
    const expected = replies.expect(headers[messageHeader.id] as string, waitMs);
    if (expected === null) return null;
    headers[messageHeader.replyTo] = replies.channel;
    held.add(answer);
    const leave = stayOpen(socket);
    const giveUp = () => expected.giveUp();
    answer.once('close', giveUp);
    const endMs = clock.elapsedMs() + waitMs;
    return new WaitingCaller(expected, {
      find: (id) => replies.find(id, Math.max(0, endMs - clock.elapsedMs())).catch(() => null),
      leave: () => {
        giveUp();
        answer.removeListener('close', giveUp);
        leave();
      },
    });
  }

  private boundedMs(wantedMs: number): number {
    return Math.min(wantedMs, this.configWatch.settings.reply.maxWaitMs);
  }
}

interface WaitingParts {
  /** The reply to another message, in what is left of the time. */
  readonly find: (id: string) => Promise<Reply | null>;
  readonly leave: () => void;
}

export class WaitingCaller {
  constructor(
    private readonly expected: Expected,
    private readonly parts: WaitingParts,
  ) {}

  /** The message is stored under this id; `isReplay`: by an earlier call. Resolves to null when no reply came in time. */
  async reply(id: string, isReplay: boolean): Promise<Reply | null> {
    try {
      return await (isReplay ? this.parts.find(id) : this.expected.reply);
    } finally {
      this.parts.leave();
    }
  }

  /** The message is not stored. */
  giveUp(): void {
    this.parts.leave();
  }
}
