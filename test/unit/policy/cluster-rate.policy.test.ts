// One limit over several nodes: together they never send more, they share it, and each goes on alone when nothing is shared.
import { beforeEach, expect, test } from 'vitest';
import { BigpipeError } from '#src/message/errors.js';
import { ClusterRatePolicy } from '#src/policy/cluster-rate.policy.js';
import type { Gate, Hold } from '#src/policy/policy.js';
import { MemorySharedState } from '#src/shared-state/drivers/memory/memory.shared-state.js';
import type { SharedStateHealth } from '#src/shared-state/shared-state.js';
import { FakeClock } from '../../support/fake-clock.js';
import { newSubscription, perSecond } from '../../support/subscription.js';

const candidate = { isRetry: false, firstsWait: true };

/** What two nodes share, until it is lost. */
class LosableState extends MemorySharedState {
  isLost = false;
  asked = 0;
  override readonly scope = 'cluster';

  override take(...how: Parameters<MemorySharedState['take']>) {
    this.asked += 1;
    return this.isLost ? Promise.reject(new BigpipeError('unavailable', 'lost')) : super.take(...how);
  }

  override health(): SharedStateHealth {
    return { ...super.health(), ok: !this.isLost };
  }
}

let clock: FakeClock;
let state: LosableState;

beforeEach(() => {
  clock = new FakeClock();
  state = new LosableState({ clock, maxBytes: 1_000_000 });
});

/** A node that sends whenever it may. */
class Node {
  sent = 0;
  hold: Hold | null = null;
  readonly gate: Gate;

  constructor(rate: number, burst: number, share: number, name: string | null = null) {
    const rates = { rate: perSecond(rate, burst) };
    const subscription = newSubscription({ ...rates, rateScope: 'cluster' });
    const destination = name === null ? null : { rate: rates.rate, concurrency: null };
    const scope = { subscription, destination, name, hasPeers: () => false, share: () => share };
    this.gate = new ClusterRatePolicy(clock, state).open({ ...scope, wake: () => this.pump() });
  }

  pump(): void {
    for (;;) {
      const entry = this.gate.enter(candidate);
      if ('hold' in entry) {
        this.hold = entry.hold;
        return;
      }
      this.sent += 1;
    }
  }
}

async function pass(nodes: readonly Node[], ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10) {
    for (const node of nodes) node.pump();
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    clock.advance(10);
  }
}

const total = (nodes: readonly Node[]) => nodes.reduce((sum, { sent }) => sum + sent, 0);

test.each([
  [0.5, 1],
  [3, 3],
  [100, 10],
  [2000, 2000],
])('at %d a second over three nodes: no more than that, and not much less', async (rate, burst) => {
  const nodes = [0, 1, 2].map(() => new Node(rate, burst, 1 / 3));
  await pass(nodes, 20_000);
  expect(total(nodes)).toBeLessThanOrEqual(burst + 20 * rate + 1e-6);
  expect(total(nodes)).toBeGreaterThanOrEqual(Math.floor(0.85 * 20 * rate));
  // Batches: the questions are far fewer than the attempts.
  expect(state.asked).toBeLessThan(3 * 20 * 45);
});

test('who is alone in sending has all of it', async () => {
  const [busy, idle] = [new Node(100, 100, 0.5), new Node(100, 100, 0.5)];
  idle.pump();
  await pass([busy], 10_000);
  expect(busy.sent).toBeGreaterThanOrEqual(1000);
});

test('each destination has a limit of its own', async () => {
  const [a, b] = [new Node(10, 10, 1, 'http://a.example'), new Node(10, 10, 1, 'http://b.example')];
  await pass([a, b], 5000);
  expect([a.sent, b.sent]).toEqual(
    [60, 60].map((most) => expect.toSatisfy((sent: number) => sent > 50 && sent <= most)),
  );
});

test('while nothing is shared each sends in proportion to its partitions; then all together again', async () => {
  const nodes = [new Node(100, 20, 0.75), new Node(100, 20, 0.25)] as const;
  await pass(nodes, 1000);
  state.isLost = true;
  const before = nodes.map(({ sent }) => sent);
  await pass(nodes, 10_000);
  const alone = nodes.map(({ sent }, i) => sent - (before[i] as number));
  expect(alone).toEqual([750, 250].map((due) => expect.toSatisfy((sent: number) => Math.abs(sent - due) < 30)));
  expect(nodes[0].hold?.detail).toContain('nothing is shared now');
  state.isLost = false;
  const then = total(nodes);
  await pass(nodes, 10_000);
  expect(total(nodes) - then).toBeLessThanOrEqual(1030);
  expect(total(nodes) - then).toBeGreaterThan(850);
});

test('what was taken and not used is there for the next', async () => {
  const node = new Node(0.001, 1, 1);
  node.gate.enter(candidate);
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  // The wake has sent it; a pass that is cancelled gives it back.
  expect(node.sent).toBe(1);
  const other = new Node(0.001, 1, 1);
  await pass([other], 100);
  expect(other.sent).toBe(0);
});

test('of one node alone, or switched off, it costs nothing', async () => {
  const subscription = newSubscription({ rate: perSecond(1, 1), rateScope: 'node' });
  const scope = { subscription, destination: null, name: null, hasPeers: () => false, wake: () => undefined };
  const gate = new ClusterRatePolicy(clock, state).open(scope);
  for (let i = 0; i < 100; i += 1) expect(gate.enter(candidate)).toHaveProperty('pass');
  expect(state.asked).toBe(0);
});
