// Dead letters of messages that were never sent, because their transaction stayed undecided until its time was over.
import { Injectable, Logger } from '@nestjs/common';
import { ConfigWatch } from '../config-watch/config-watch.js';
import { Clock } from '../message/clock.js';
import { deadLetterOf } from '../message/dead-letter.js';
import type { Message } from '../message/message.js';
import { Partitioner } from '../message/partitioner.js';
import { transactionTopic } from '../message/side-topic.js';
import type { HalfMessage } from './half-messages.js';
import type { Transaction } from './transaction-table.js';

@Injectable()
export class UnsentLetters {
  private readonly log = new Logger('Transactions');

  constructor(
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
  ) {}

  /** One for each subscription that would have got the message, where that keeps dead letters; the way back is a redrive. */
  of({ id, offset, createdMs }: Transaction, halves: readonly HalfMessage[]): Message[] {
    const partitioner = new Partitioner();
    const { topics, subscriptions } = this.configWatch.settings;
    return halves.flatMap((half) => {
      const { topic, key, body, headers } = half;
      const partitions = topics.find(({ name }) => name === topic)?.partitions ?? 1;
      const partition = key === null ? 0 : partitioner.choose(key, partitions);
      const source = {
        topic: transactionTopic,
        partition,
        offset: BigInt(offset),
        key,
        body,
        headers,
        timestampMs: createdMs,
      };
      const note = {
        reason: 'undecided',
        origin: { topic: transactionTopic, partition, offset: BigInt(offset) },
        detail: `its transaction ${id} was undecided until its time was over`,
        status: 0,
        answer: '',
        attempts: 0,
        firstAttemptMs: 0,
      } as const;
      const boxes = subscriptions.flatMap((one) => (one.topic === topic ? (one.deadLetterTopic ?? []) : []));
      if (boxes.length === 0)
        this.log.error({
          msg: 'a message of an undecided transaction is lost: nobody keeps dead letters of its topic',
          id,
          topic,
        });
      return boxes.map((box) => deadLetterOf(box, source, note, this.clock.now()));
    });
  }
}
