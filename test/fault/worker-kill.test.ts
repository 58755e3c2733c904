// kill -9 of single workers under load, and of the main process in the end: nothing answered is lost or out of order, no repeat without its name.
import { afterEach, expect, test } from 'vitest';
import { BigpipeProcess } from '../support/bigpipe-process.js';
import { Ledger } from '../support/ledger.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';
import { untilServing } from '../support/workers.js';

const kills = Number(process.env['KILLS'] ?? 10);
const callers = 24;
/** Of accepted calls, so that each kill meets the load. */
const betweenKills = 300;

let target: TargetServer;
let last: BigpipeProcess | undefined;
/** Of its key: in the order in which they were answered with success. */
let accepted: Map<string, string[]>;
/** How often a call was made, where it was made again for want of an answer. */
let made: Map<string, number>;

afterEach(async () => {
  await last?.dispose();
  await target.close();
});

/**
 * One key's calls, each when the one before was answered. Every second caller makes a call again until it is answered;
 * the others go on with the next one.
 */
async function callInTurn(
  bigpipe: BigpipeProcess,
  ledger: Ledger,
  caller: number,
  isOver: () => boolean,
): Promise<void> {
  const key = `k${caller}`;
  const answered: string[] = [];
  accepted.set(key, answered);
  for (let number = 0; !isOver(); ) {
    const id = `${key}-${number}`;
    made.set(id, (made.get(id) ?? 0) + 1);
    const isAccepted = await ledger.call(bigpipe, id, { url: target.url(), partition_key: key });
    if (isAccepted) answered.push(id);
    if (isAccepted || caller % 2 === 0) number += 1;
  }
}

function outOfOrder(): string[] {
  const firstAt = new Map<string, number>();
  target.arrivals.forEach(({ headers }, at) => {
    const id = String(headers['bigpipe-message-id']);
    if (!firstAt.has(id)) firstAt.set(id, at);
  });
  return [...accepted.values()].flatMap((ids) =>
    ids.flatMap((id, i) => {
      const before = ids[i - 1];
      return before !== undefined && (firstAt.get(id) ?? 0) < (firstAt.get(before) ?? 0)
        ? [`${id} before ${before}`]
        : [];
    }),
  );
}

/** More arrivals than calls, and none of them says why. */
function unnamedRepeats(): string[] {
  const unnamed = new Map<string, number>();
  for (const { headers } of target.arrivals) {
    if (headers['bigpipe-redelivery'] !== undefined) continue;
    const id = String(headers['bigpipe-message-id']);
    unnamed.set(id, (unnamed.get(id) ?? 0) + 1);
  }
  return [...unnamed].flatMap(([id, times]) => (times > (made.get(id) ?? 0) ? [`${id} came ${times} times`] : []));
}

// Beside one worker the main process takes calls itself.
test.each([2, 1])(
  `${kills} kills of one of %i workers, and one of the main process`,
  async (workers) => {
    const env = { BIGPIPE_WORKERS: String(workers) };
    accepted = new Map();
    made = new Map();
    target = await TargetServer.start();
    const ledger = new Ledger();
    const bigpipe = await BigpipeProcess.start({ env });
    last = bigpipe;
    let isOver = false;
    const calling = Array.from({ length: callers }, (_, caller) => callInTurn(bigpipe, ledger, caller, () => isOver));
    const unanswered: number[] = [];
    for (let kill = 0; kill < kills; kill += 1) {
      const pids = await untilServing(bigpipe, kill);
      const before = { accepted: ledger.accepted.size, unknown: ledger.unknown.size };
      await until('calls flow', () => ledger.accepted.size >= before.accepted + betweenKills);
      process.kill(pids[kill % workers] as number, 'SIGKILL');
      await until('others are served meanwhile', () => ledger.accepted.size >= before.accepted + 2 * betweenKills);
      unanswered.push(ledger.unknown.size - before.unknown);
    }
    await untilServing(bigpipe, kills);
    bigpipe.child.kill('SIGKILL');
    isOver = true;
    await Promise.all(calling);
    ledger.hangUp();
    expect(await bigpipe.exited).toBe('SIGKILL');
    // Each kill met calls under way, or it showed nothing.
    expect(unanswered.filter((count) => count > 0).length).toBeGreaterThan(kills / 2);

    const again = await BigpipeProcess.start({ env, directory: bigpipe.directory });
    last = again;
    await until('every accepted call has arrived', () => ledger.allArrived(target));
    expect(await again.end('SIGTERM')).toBe(0);
    expect(ledger.faults(target, Number.POSITIVE_INFINITY)).toEqual([]);
    expect(outOfOrder()).toEqual([]);
    expect(unnamedRepeats()).toEqual([]);
    const calls = [...made.values()].reduce((sum, times) => sum + times, 0);
    const told = `${calls} calls, ${ledger.accepted.size} accepted, ${target.arrivals.length} arrivals`;
    console.info(`${told}; unanswered at each kill: ${unanswered.join(' ')}`);
  },
  300_000,
);
