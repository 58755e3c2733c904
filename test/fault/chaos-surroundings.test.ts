// A disk that fills up, power that fails, a clock that jumps, an operator who reconfigures, pauses and sends again.
import { expect, test } from 'vitest';
import { brokenPromises } from '../support/chaos/report.ts';
import { shortRun } from '../support/chaos/short-run.ts';

test('a full disk, a jumping clock, an operator, and kills among them: nothing lost', async () => {
  const only = ['kill', 'disk', 'clock', 'config', 'pause', 'redrive', 'rejects'];
  const report = await shortRun({ only, acts: 16 });
  expect(brokenPromises(report)).toEqual([]);
}, 180_000);

test('power loss: what was accepted was on the disk', async () => {
  const report = await shortRun({ only: ['power'], acts: 4 });
  expect(brokenPromises(report)).toEqual([]);
}, 180_000);

// The test above would also pass if no power was lost.
test('power loss without fsync loses what was accepted', async (context) => {
  const config = { 'broker.embedded.fsync': false };
  const report = await shortRun({ only: ['power'], acts: 2, config, patienceMs: 3000 });
  if (report.skipped.length > 0) context.skip(report.skipped.join());
  expect(report.lost.length).toBeGreaterThan(0);
}, 180_000);
