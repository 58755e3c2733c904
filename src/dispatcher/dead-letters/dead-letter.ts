// Where a message goes that no attempt could deliver: a topic of its own, with its history, kept until somebody acts.
import { Injectable } from '@nestjs/common';
import { Broker } from '../../broker/broker.js';
import { Clock, pause } from '../../message/clock.js';
import type { MessageHeaders, Position, StoredMessage } from '../../message/message.js';
import { withoutSideNote } from '../../message/side-message.js';
import { deadLetterTopic } from '../../message/side-topic.js';

export const deadLetterReasons = ['exhausted', 'rejected', 'invalid'] as const;
export type DeadLetterReason = (typeof deadLetterReasons)[number];

/** What is known about a message that could not be delivered. */
export interface DeadLetterNote {
  readonly reason: DeadLetterReason;
  /** Where the message was first stored. */
  readonly origin: Position;
  readonly detail: string;
  /** 0 when no answer came. */
  readonly status: number;
  /** The first KiB of the last answer. */
  readonly answer: string;
  readonly attempts: number;
  /** Unix milliseconds of the first attempt, 0 for none. */
  readonly firstAttemptMs: number;
}

/** Between attempts while the broker refuses. */
const retryMs = 1000;
const prefix = 'bigpipe-dlq-';

@Injectable()
export class DeadLetter {
  constructor(
    private readonly broker: Broker,
    private readonly clock: Clock,
  ) {}

  /** Creates the subscription's topic, with as many partitions as its origin has. */
  prepare(topic: string, group: string, partitions: number): Promise<void> {
    return this.broker.ensureTopic({ name: deadLetterTopic(topic, group), partitions, retention: 'keep' });
  }

  /**
   * Writes until it is durable (true), or until `signal` aborts (false). Key, headers and body stay as they were.
   * `failed` is told of each attempt that the broker refused.
   */
  async keep(
    subscription: { readonly topic: string; readonly groupId: string },
    source: StoredMessage,
    note: DeadLetterNote,
    signal: AbortSignal,
    failed: (error: unknown) => void,
  ): Promise<boolean> {
    while (!signal.aborted) {
      try {
        await this.append(subscription, source, note);
        return true;
      } catch (error) {
        failed(error);
        await pause(this.clock, retryMs, signal);
      }
    }
    return false;
  }

  private async append(
    subscription: { readonly topic: string; readonly groupId: string },
    source: StoredMessage,
    note: DeadLetterNote,
  ): Promise<void> {
    const { origin } = note;
    const history = {
      reason: note.reason,
      detail: note.detail,
      status: String(note.status),
      answer: note.answer,
      attempts: String(note.attempts),
      'first-attempt': timeOf(note.firstAttemptMs),
      'last-attempt': note.attempts === 0 ? '' : timeOf(this.clock.now()),
      topic: origin.topic,
      partition: String(origin.partition),
      offset: String(origin.offset),
    };
    const headers = withoutSideNote(source.headers);
    for (const [name, value] of Object.entries(history)) headers[`${prefix}${name}`] = value;
    const { key, body, partition } = source;
    await this.broker.append(
      [{ topic: deadLetterTopic(subscription.topic, subscription.groupId), partition, key, body, headers }],
      -1,
    );
  }
}

/** What was written beside a dead letter, without its prefix. */
export function historyOf(headers: MessageHeaders): Record<string, string> {
  const entries = Object.entries(headers).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(entries.map(([name, value]) => [name.slice(prefix.length), value]));
}

/** The headers as the message had them. */
export function withoutHistory(headers: MessageHeaders): MessageHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(prefix)));
}

/** Where the message was first stored; its place among the dead letters if that is not told. */
export function originOfLetter(letter: StoredMessage): Position {
  const { topic, partition, offset } = historyOf(letter.headers);
  const isWhole = /^\d{1,18}$/;
  if (topic === undefined || topic === '' || !isWhole.test(partition ?? '') || !isWhole.test(offset ?? ''))
    return letter;
  return { topic, partition: Number(partition), offset: BigInt(offset as string) };
}

function timeOf(unixMs: number): string {
  return unixMs === 0 ? '' : new Date(unixMs).toISOString();
}
