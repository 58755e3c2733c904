// A call's id says all that the books need: topic, destination, key and sequence; its body follows from the id.

export interface CallName {
  readonly topic: string;
  readonly destination: number;
  /** Empty for a call without a key. */
  readonly key: string;
  /** From 0 on in its lane, in the order in which they are sent. */
  readonly sequence: number;
}

export const laneOf = ({ topic, destination, key }: Omit<CallName, 'sequence'>): string =>
  `${topic}:d${destination}:${key === '' ? 'free' : key}`;

export const idOf = (name: CallName): string => `${laneOf(name)}:${name.sequence}`;

/** No two ids have the same body, and none is the beginning of another. */
export const bodyOf = (id: string, bytes: number): string => `${id}|`.padEnd(bytes, `${id}|`);
