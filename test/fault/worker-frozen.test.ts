// A worker that stands still, without a word and without an end, is found and replaced; the others serve meanwhile.
import { afterEach, expect, test } from 'vitest';
import { BigpipeProcess } from '../support/bigpipe-process.js';
import { Ledger } from '../support/ledger.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';
import { isAlive, untilServing } from '../support/workers.js';

let target: TargetServer;
let bigpipe: BigpipeProcess;

afterEach(async () => {
  await bigpipe.dispose();
  await target.close();
});

test('calls go on beside a frozen worker, and it is replaced', async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({ env: { BIGPIPE_WORKERS: '2' } });
  const [frozen] = (await untilServing(bigpipe, 0)) as [number];
  const ledger = new Ledger();
  let isOver = false;
  // Some of them are stuck with the frozen one until it is killed.
  const callers = Array.from({ length: 16 }, async (_, caller) => {
    for (let i = 0; !isOver; i += 1) await ledger.call(bigpipe, `${caller}-${i}`, { url: target.url() });
  });
  await until('calls flow', () => ledger.accepted.size > 200);
  process.kill(frozen, 'SIGSTOP');
  const before = ledger.accepted.size;
  await until('others are served meanwhile', () => ledger.accepted.size > before + 500);
  await untilServing(bigpipe, 1);
  expect(await isAlive(frozen)).toBe(false);
  isOver = true;
  await Promise.all(callers);
  await until('every accepted call has arrived', () => ledger.allArrived(target));
  expect(ledger.faults(target, 1)).toEqual([]);
  const told = bigpipe.log.filter(({ msg }) => msg === 'a worker stands still and is replaced');
  expect(told).toMatchObject([{ worker: 1, workerPid: frozen }]);
  // Half a minute until it is taken for frozen.
}, 240_000);
