// The program's own HTTP target, with its egress guard or without, and nothing else of the program.
import { strict as assert } from 'node:assert';
import { isDelivered, newTarget } from '../support/delivery.ts';
import { nowMs } from '../support/latency.ts';
import type { Sent, TargetCommands } from '../support/protocol.ts';
import { serveCommands } from '../support/serve-commands.ts';

let target: ReturnType<typeof newTarget> | null = null;

function open({ isGuarded, keeps }: TargetCommands['open']['request']): null {
  target = newTarget({ isGuarded, keeps });
  return null;
}

async function send({ origin, concurrency, count }: TargetCommands['send']['request']): Promise<Sent> {
  assert(target !== null, 'not open');
  const to = target;
  const startedMs = nowMs();
  let made = 0;
  let sent = 0;
  let failed = 0;
  const one = async () => {
    while (made < count) {
      made += 1;
      if (await isDelivered(to, origin)) sent += 1;
      else failed += 1;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, one));
  return { sent, failed, elapsedMs: nowMs() - startedMs };
}

serveCommands<TargetCommands>({ open, send });
