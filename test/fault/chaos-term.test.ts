// SIGTERM again and again under load, receivers answering in time: nothing lost, nothing twice, exit 0 each time.
import { expect, test } from 'vitest';
import { brokenPromises } from '../support/chaos/report.ts';
import { shortRun } from '../support/chaos/short-run.ts';
import { patientTopics } from '../support/chaos/topics.ts';

test('restarts by SIGTERM under load lose nothing and repeat nothing', async () => {
  const report = await shortRun({ only: ['term'], acts: 10, answerMs: 100, topics: patientTopics });
  expect(brokenPromises(report)).toEqual([]);
  expect(report.duplicates).toEqual({});
  expect(report.arrived).toBe(report.delivered);
  expect(report.exitCodes).toEqual({ 0: (report.acts['term'] ?? 0) + 1 });
}, 300_000);
