// A disk that fills up, power that fails, an operator who reconfigures, pauses and sends again.
import { expect, test } from 'vitest';
import { brokenPromises } from '../support/chaos/report.ts';
import { shortRun } from '../support/chaos/short-run.ts';
import { usualTopics } from '../support/chaos/topics.ts';

test('a full disk, an operator, and kills among them: nothing lost', async () => {
  const only = ['kill', 'disk', 'config', 'pause', 'redrive', 'rejects', 'clock'];
  const report = await shortRun({ only, acts: 16 });
  expect(brokenPromises(report)).toEqual([]);
}, 300_000);

test('power loss: what was accepted was on the disk', async () => {
  const report = await shortRun({ only: ['power'], acts: 4 });
  expect(brokenPromises(report)).toEqual([]);
}, 300_000);

// The test above would also pass if no power was lost.
test('power loss without fsync loses what was accepted, or the log as a whole', async (context) => {
  const config = { 'broker.embedded.fsync': false };
  // Hardly anything is delivered before the power goes.
  const topics = usualTopics.map((topic) => ({ ...topic, consumer: { ...topic.consumer, rateLimit: 5 } }));
  const run = shortRun({ only: ['power'], acts: 1, config, topics, patienceMs: 5000 });
  const loses = await run.then(
    ({ skipped, lost }) => {
      if (skipped.length > 0) context.skip(skipped.join());
      return lost.length > 0;
    },
    (error: unknown) => /storage-damaged|is missing/.test(String(error)),
  );
  expect(loses).toBe(true);
}, 300_000);
