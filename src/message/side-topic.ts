// The names of the topics that bigpipe keeps for itself, beside those that callers write to.

/** What operators have ordered. */
export const controlTopic = 'bigpipe.control';

/** Which messages were cancelled. */
export const cancelTopic = 'bigpipe.cancelled';

/** Which idempotency keys were used, and for what. */
export const idempotencyTopic = 'bigpipe.idempotency';

/** Which subscriptions were registered over HTTP, and which endpoints have a lease. */
export const subscriptionsTopic = 'bigpipe.subscriptions';

/** Half messages, and all that is decided and asked about them. */
export const transactionTopic = 'bigpipe.transactions';

/** Questions to producers about transactions that they have left undecided. */
export const checkTopic = 'bigpipe.checks';

/** Who delivers these questions. */
export const checkGroup = 'bigpipe';

/** None of these may be a caller's. */
export const ownTopics: readonly string[] = [
  controlTopic,
  cancelTopic,
  idempotencyTopic,
  subscriptionsTopic,
  transactionTopic,
  checkTopic,
];

/** Where its undeliverable messages stand, unless the subscription names another topic. */
export const deadLetterTopic = (topic: string, group: string) => `${topic}.${group}.dlq`;

/** Where messages wait that must not hold up those behind them. */
export const overflowTopic = (topic: string, group: string) => `${topic}.${group}.overflow`;

/** Which keys are parked: one record each. */
export const parkedTopic = (topic: string, group: string) => `${topic}.${group}.parked`;

/** How long a message stays in each delay topic; what has to wait longer goes on from one to the next. Ascending. */
export const delayTiers = [
  { name: '1s', ms: 1000 },
  { name: '10s', ms: 10_000 },
  { name: '1m', ms: 60_000 },
  { name: '10m', ms: 600_000 },
  { name: '1h', ms: 3_600_000 },
] as const;
export type DelayTier = (typeof delayTiers)[number];

/** Where messages wait for their time. */
export const delayTopic = (topic: string, group: string, { name }: DelayTier) => `${topic}.${group}.delay.${name}`;
