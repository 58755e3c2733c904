// Mailboxes with the default bounds, or others.
import type { ConfigWatch } from '#src/config-watch/config-watch.js';
import type { PullSettings } from '#src/config-watch/settings.js';
import type { Clock } from '#src/message/clock.js';
import { ThisNode } from '#src/message/this-node.js';
import { Stats } from '#src/stats/stats.js';
import { Mailboxes } from '#src/target/mailbox/mailboxes.js';

export function newMailboxes(clock: Clock, bounds: Partial<PullSettings> = {}): Mailboxes {
  const pull = { maxWaiting: 100, maxWaitMs: 60_000, ...bounds };
  return new Mailboxes({ settings: { pull } } as ConfigWatch, clock, new ThisNode(), new Stats());
}
