// What a caller may know of a message it sent, and the way to stop it: between the doors and the dispatcher.
import { Injectable } from '@nestjs/common';
import { ConfigWatch } from '../config-watch/config-watch.js';
import { BigpipeError } from '../message/errors.js';
import { messageHeader, type Position, type StoredMessage } from '../message/message.js';
import { CancelLog } from './cancel-log.js';
import { MessageFinder } from './message-finder.js';

/** Searches of the log at the same moment. */
const maxLooking = 8;

/** One message in one subscription, in the words of whoever delivers it. */
export interface FollowedDelivery {
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly state: string;
  readonly aclName?: string;
  readonly attempt?: number;
  readonly maxAttempts?: number;
  readonly since?: string;
  readonly waitingFor: readonly { readonly reason: string; readonly detail: string; readonly until: string | null }[];
  readonly estimate: string | null;
  readonly deadLetter?: { readonly offset: string; readonly history: Readonly<Record<string, string>> };
}

/** Whoever delivers, as far as it is asked where messages are. */
export interface Follower {
  /** Of messages that are read and not settled. */
  readonly byId: (id: string) => readonly FollowedDelivery[];
  readonly byPosition: (position: Position) => Promise<readonly FollowedDelivery[]>;
}

export interface TrackedMessage {
  readonly id: string;
  /** Null when the log has the message itself no more; what is known of its deliveries is. */
  readonly stored: StoredMessage | null;
  readonly deliveries: readonly FollowedDelivery[];
  readonly isCancelled: boolean;
}

@Injectable()
export class MessageTracker {
  private follower: Follower | null = null;
  private looking = 0;

  constructor(
    private readonly finder: MessageFinder,
    private readonly cancelLog: CancelLog,
    private readonly configWatch: ConfigWatch,
  ) {}

  /** Called once, by whoever delivers. */
  follow(follower: Follower): void {
    this.follower = follower;
  }

  /** Null when nothing is known of such a message that was sent under this name to one of these topics. */
  async find(id: string, aclName: string, topics: readonly string[]): Promise<TrackedMessage | null> {
    const stored = await this.inTurn(() => this.stored(id, aclName, topics));
    const deliveries =
      stored === null
        ? (this.follower?.byId(id) ?? []).filter((delivery) => delivery.aclName === aclName)
        : ((await this.follower?.byPosition(stored)) ?? []);
    if (stored === null && deliveries.length === 0) return null;
    return { id, stored, deliveries, isCancelled: this.cancelLog.has(id) };
  }

  /** As CancelLog's. */
  cancel(id: string, stored: StoredMessage | null): Promise<void> {
    return this.cancelLog.cancel(id, Number(stored?.headers[messageHeader.notBefore] ?? 0));
  }

  /** Looking for a message reads the log: who looks must not take the time of those who deliver. */
  private async inTurn<T>(look: () => Promise<T>): Promise<T> {
    if (this.looking >= maxLooking) throw new BigpipeError('overloaded', 'too many messages are looked for');
    this.looking += 1;
    try {
      return await look();
    } finally {
      this.looking -= 1;
    }
  }

  private async stored(id: string, aclName: string, topics: readonly string[]): Promise<StoredMessage | null> {
    const known = new Set(this.configWatch.settings.topics.map(({ name }) => name));
    const readable = topics.filter((topic) => known.has(topic));
    return this.finder.findOne(id, readable, ({ headers }) => headers[messageHeader.acl] === aclName);
  }
}
