// A call's id says all that the books need: topic, destination, key and sequence; its body follows from the id.

export interface CallName {
  readonly topic: string;
  readonly destination: number;
  /** Empty for a call without a key. */
  readonly key: string;
  /** From 0 on in its lane, in the order in which they are sent. */
  readonly sequence: number;
}

const pattern = /^([a-z0-9]+):d(\d+):(k[a-z0-9]*|free):(\d+)$/;

export const laneOf = ({ topic, destination, key }: Omit<CallName, 'sequence'>): string =>
  `${topic}:d${destination}:${key === '' ? 'free' : key}`;

export const idOf = (name: CallName): string => `${laneOf(name)}:${name.sequence}`;

/** Null for what is no id of ours. */
export function nameOf(id: string): CallName | null {
  const parts = pattern.exec(id);
  if (parts === null) return null;
  const [, topic = '', destination, key = '', sequence] = parts;
  return { topic, destination: Number(destination), key: key === 'free' ? '' : key, sequence: Number(sequence) };
}

/** No two ids have the same body, and none is the beginning of another. */
export const bodyOf = (id: string, bytes: number): string => `${id}|`.padEnd(bytes, `${id}|`);
