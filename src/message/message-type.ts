// The finer label of a message within its topic.

const pattern = /^[\x21-\x7e]{1,256}$/;

export const messageTypeAllowed = '1 to 256 visible ASCII characters';

export const isMessageType = (value: unknown): value is string => typeof value === 'string' && pattern.test(value);
