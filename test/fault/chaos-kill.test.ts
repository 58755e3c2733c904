// kill -9, torn writes and stops under load, while receivers die, hang, lie and reject: the ledger finds no fault.
import { expect, test } from 'vitest';
import { brokenPromises } from '../support/chaos/report.ts';
import { shortRun } from '../support/chaos/short-run.ts';
import { patientTopics } from '../support/chaos/topics.ts';

test('kills under load: nothing lost, no key out of order, every repeat says crash', async () => {
  const report = await shortRun({ only: ['kill', 'torn'], acts: 10, topics: patientTopics });
  expect(brokenPromises(report)).toEqual([]);
  expect(Object.keys(report.duplicates).filter((cause) => cause !== 'crash')).toEqual([]);
  expect(report.accepted).toBeGreaterThan(500);
}, 300_000);

test('kills, stops and sick receivers: nothing lost, no key out of order, every repeat says why', async () => {
  const report = await shortRun({
    only: ['kill', 'term', 'stop', 'receivers', 'rejects', 'redrive'],
    acts: 24,
  });
  expect(brokenPromises(report)).toEqual([]);
  expect(report.dead).toBe(0);
}, 300_000);
