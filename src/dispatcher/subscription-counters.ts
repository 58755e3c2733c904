// What /stats says about deliveries, in the original's words.

/** One kafka.consumer.list entry. */
export interface ConsumerCounters {
  handleMessage: number;
  invalidMessage: number;
  /** Read, and not wanted by its bindings and filters. */
  passedOver: number;
}

/** One topic, all its groups together. */
export interface ClientCounters {
  circuitIsBreak: number;
  /** Given up: exhausted, rejected or expired. */
  rpcFail: number;
  rpcRetries: number;
  rpcSuccess: number;
  /** Counted once a message is read: what is neither success nor fail is waiting or in flight. */
  rpcTotal: number;
  /** Rejected, exhausted and invalid messages that now stand in a dead-letter topic. */
  deadLetters: number;
  /** The same where dead letters are switched off: gone. */
  lost: number;
  /** Not worth sending any more when their turn came; they are among the failed too. */
  expired: number;
  /** Cancelled by their caller before their turn came. */
  cancelled: number;
  /** Came while a group that is not durable had no endpoint. */
  dropped: number;
  /** No subscription of the topic wanted them. */
  unmatched: number;
  /** Answers that now stand in the topic as messages to a callback URL. */
  callbacks: number;
}

export const newConsumerCounters = (): ConsumerCounters => ({ handleMessage: 0, invalidMessage: 0, passedOver: 0 });
export const newClientCounters = (): ClientCounters => ({
  circuitIsBreak: 0,
  rpcFail: 0,
  rpcRetries: 0,
  rpcSuccess: 0,
  rpcTotal: 0,
  deadLetters: 0,
  lost: 0,
  expired: 0,
  cancelled: 0,
  dropped: 0,
  unmatched: 0,
  callbacks: 0,
});
