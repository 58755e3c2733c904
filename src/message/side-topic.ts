// The names of the topics that bigpipe keeps for itself, beside those that callers write to.

/** What operators have ordered. */
export const controlTopic = 'bigpipe.control';

/** Where its undeliverable messages stand. */
export const deadLetterTopic = (topic: string, group: string) => `${topic}.${group}.dlq`;

/** Where messages wait that must not hold up those behind them. */
export const overflowTopic = (topic: string, group: string) => `${topic}.${group}.overflow`;
