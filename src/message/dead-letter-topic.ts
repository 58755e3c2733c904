// The name of the topic where a subscription's undeliverable messages stand.

export const deadLetterTopic = (topic: string, group: string) => `${topic}.${group}.dlq`;
