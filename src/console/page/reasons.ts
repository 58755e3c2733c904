// The words of the backlog: how they are said, in which order they are drawn, and in which colour; pure.

export interface Reason {
  readonly name: string;
  readonly label: string;
  readonly about: string;
  /** Of the style sheet's --hue-… */
  readonly hue: string;
}

/** From what moves to what stands. */
export const reasons: readonly Reason[] = [
  { name: 'inFlight', label: 'in flight', about: 'sent, not answered yet', hue: 'blue' },
  { name: 'ready', label: 'ready', about: 'about to go', hue: 'sky' },
  { name: 'unread', label: 'unread', about: 'still in the log only', hue: 'slate' },
  { name: 'order', label: 'behind its key', about: 'waits for an earlier message of its key', hue: 'teal' },
  { name: 'rate', label: 'rate limit', about: 'held by a rate limit', hue: 'violet' },
  { name: 'concurrency', label: 'concurrency', about: 'as many are in flight as may be', hue: 'indigo' },
  { name: 'retry', label: 'before a retry', about: 'waits for its backoff', hue: 'amber' },
  { name: 'budget', label: 'retry budget', about: 'retries have had their share', hue: 'gold' },
  { name: 'warm-up', label: 'warm-up', about: 'the destination is new and gets a share first', hue: 'lime' },
  { name: 'retry-after', label: 'Retry-After', about: 'the receiver asked to be left alone', hue: 'orange' },
  { name: 'circuit', label: 'circuit', about: 'its destination does not answer', hue: 'red' },
  { name: 'no-endpoint', label: 'no endpoint', about: 'its group of receivers has none', hue: 'red' },
  { name: 'consent', label: 'consent', about: 'its receiver has not agreed to deliveries', hue: 'orange' },
  { name: 'pull', label: 'to be fetched', about: 'waits for a puller or a subscriber', hue: 'sky' },
  {
    name: 'overflow',
    label: 'overflow',
    about: 'moved aside on disk, comes back as its destination recovers',
    hue: 'rose',
  },
  { name: 'toDeadLetter', label: 'to dead letters', about: 'given up, being written there', hue: 'wine' },
  { name: 'delayed', label: 'delayed', about: 'waits for its time', hue: 'stone' },
  { name: 'pause', label: 'paused', about: 'an operator has paused it', hue: 'gray' },
];

/** All that is not settled. */
export const waiting = (backlog: Readonly<Record<string, number>>): number =>
  reasons.reduce((sum, { name }) => sum + (backlog[name] ?? 0), 0);
