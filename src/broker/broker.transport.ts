// The Nest transport strategy over the broker: hands each group's messages to the handlers that Nest has wired.
import { Injectable, Logger } from '@nestjs/common';
import { type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import { type Assignment, Broker, type Membership, type MessageBatch, type TopicPartition } from './broker.js';
import type { Interest } from './interest.js';

/** Mark of the handlers that this strategy drives: @EventPattern<string>(groupEvent.messages, BROKER_TRANSPORT). */
export const BROKER_TRANSPORT = Symbol('broker');

/** What a group's handlers are told; one handler for each, in the whole program. */
export const groupEvent = { assigned: 'assigned', messages: 'messages', revoked: 'revoked' } as const;

export interface AssignedEvent {
  readonly membership: Membership;
  readonly assignments: readonly Assignment[];
}

/** One batch on its way to its handler. */
export interface Handover {
  readonly membership: Membership;
  readonly batch: MessageBatch;
  /** Set by the handler where the next batch of the partition has to wait for something. */
  taken: Promise<void> | undefined;
}

/** All that was read in the same moment, of all partitions: where messages come one by one each batch holds one. */
export interface MessagesEvent {
  readonly handovers: readonly Handover[];
}

export interface RevokedEvent {
  readonly membership: Membership;
  readonly partitions: readonly TopicPartition[];
}

interface Waiting extends Handover {
  readonly resolve: (taken: Promise<void> | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Owns all memberships of the process: one strategy, connected once, whose groups come and go. */
@Injectable()
export class BrokerTransport extends Server implements CustomTransportStrategy {
  override readonly transportId = BROKER_TRANSPORT;
  private readonly log = new Logger(BrokerTransport.name);
  private readonly memberships = new Set<Membership>();
  /** Nest reads an event's name as JSON each time it is asked, which fails, and that is dear for every batch. */
  private readonly bound = new Map<string, MessageHandler>();
  /** Nest's way to a handler is a dozen promises long: what is read in the same moment takes it together. */
  private waiting: Waiting[] = [];

  constructor(private readonly broker: Broker) {
    super();
  }

  /** Called by Nest once the handlers are bound. */
  listen(done: () => void): void {
    done();
  }

  /** Becomes a member of the group; from here on its messages reach the handlers. `interestIn`: GroupHandlers'. */
  async join(
    group: string,
    topics: readonly string[],
    interestIn: (topic: string) => Interest | null,
  ): Promise<Membership> {
    const membership = await this.broker.join(group, topics, {
      interestIn,
      assigned: (member, assignments) => this.tell(groupEvent.assigned, { membership: member, assignments }),
      messages: (member, batch) => this.hand(member, batch),
      revoked: (member, partitions) => this.tell(groupEvent.revoked, { membership: member, partitions }),
    });
    this.memberships.add(membership);
    return membership;
  }

  async leave(membership: Membership): Promise<void> {
    this.memberships.delete(membership);
    await membership.leave();
  }

  async close(): Promise<void> {
    const leaving = [...this.memberships].map((membership) => membership.leave());
    this.memberships.clear();
    await Promise.all(leaving);
  }

  on(): never {
    throw new Error('the broker transport has no events of its own');
  }

  unwrap<T>(): T {
    return this.broker as T;
  }

  /** Resolves once the next batch of the partition may come. */
  private hand(membership: Membership, batch: MessageBatch): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ membership, batch, taken: undefined, resolve, reject });
      if (this.waiting.length === 1) void Promise.resolve().then(() => this.handAll());
    });
  }

  private async handAll(): Promise<void> {
    const handovers = this.waiting;
    this.waiting = [];
    try {
      await this.tell(groupEvent.messages, { handovers });
      for (const { taken, resolve } of handovers) resolve(taken);
    } catch (error) {
      for (const { reject } of handovers) reject(error);
    }
  }

  /** Resolves once the handler is through. A failure there is a programming error; the driver hands the batches out again. */
  private async tell(event: string, payload: AssignedEvent | MessagesEvent | RevokedEvent): Promise<void> {
    const handler = this.handlerOf(event);
    try {
      const answer: unknown = await handler(payload);
      if (isObservable(answer)) await lastValueFrom(answer, { defaultValue: undefined });
    } catch (error) {
      const group = 'membership' in payload ? payload.membership.group : undefined;
      this.log.error({ msg: 'a broker handler failed', err: error, event, group });
      throw error;
    }
  }

  /** Bound before anybody joins, and for good. */
  private handlerOf(event: string): MessageHandler {
    const known = this.bound.get(event);
    if (known !== undefined) return known;
    const handler = this.getHandlerByPattern(event);
    if (handler === null) throw new Error(`no handler is bound to the broker's event '${event}'`);
    this.bound.set(event, handler);
    return handler;
  }
}
