// The names of the topics that a subscription keeps for itself, beside the one it reads.

/** Where its undeliverable messages stand. */
export const deadLetterTopic = (topic: string, group: string) => `${topic}.${group}.dlq`;

/** Where messages wait that must not hold up those behind them. */
export const overflowTopic = (topic: string, group: string) => `${topic}.${group}.overflow`;
