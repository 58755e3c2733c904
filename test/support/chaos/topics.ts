// What the subscriptions of a chaos run are like; other runs bring their own.
import type { ChaosTopic } from './world.ts';

/** One tries short and for ever, and keeps the order of its keys; one waits in delay topics and gives up. */
export const usualTopics: readonly ChaosTopic[] = [
  {
    name: 'orders',
    partitions: 2,
    keyedShare: 0.8,
    consumer: {
      timeout: 400,
      retries: 1000,
      retryBackoff: [20, 100, 300],
      retryBudget: { percent: 100 },
    },
  },
  {
    name: 'notes',
    partitions: 2,
    keyedShare: 0.1,
    consumer: { timeout: 400, retries: 2, retryBackoff: [50, 10_500] },
  },
];

/** The same where no answer ever comes too late, also on a machine that is busy with something else. */
export const patientTopics: readonly ChaosTopic[] = usualTopics.map((topic) => ({
  ...topic,
  consumer: { ...topic.consumer, timeout: 20_000 },
}));
