// The program's HTTP target and a delivery for it, made by hand.
import { lookup } from 'node:dns';
import type { ConfigWatch } from '#src/config-watch/config-watch.js';
import { SystemClock } from '#src/message/clock.js';
import type { Delivery } from '#src/message/delivery.js';
import { EgressRules } from '#src/message/egress-rules.js';
import { defaultVerdicts } from '#src/message/verdict.js';
import { EgressGuard } from '#src/target/http/egress-guard.js';
import { HttpTarget } from '#src/target/http/http.target.js';
import { sampleData } from './call-body.ts';

const body = Buffer.from(JSON.stringify({ url: 'x', data: sampleData() }));
const signal = new AbortController().signal;
const tls = { certFile: null, keyFile: null, caFile: null, origins: null };
const egress = { allow: ['127.0.0.0/8', '::1'], ports: null, schemes: ['http', 'https'], dnsServers: null, tls };

export interface TargetKind {
  readonly isGuarded: boolean;
  /** false: each delivery makes a connection of its own. */
  readonly keeps: boolean;
}

let maxAnswerBytes = 65_536;

export function newTarget({ isGuarded, keeps }: TargetKind): HttpTarget {
  // An answer that is longer ends its connection.
  maxAnswerBytes = keeps ? maxAnswerBytes : 0;
  if (!isGuarded) takeGuardAway();
  return new HttpTarget(new SystemClock(), { settings: { egress } } as unknown as ConfigWatch);
}

/** Of this process, for good: what is left is what there would be without it. */
function takeGuardAway(): void {
  EgressRules.prototype.againstOrigin = () => null;
  Object.defineProperty(EgressGuard.prototype, 'lookup', { get: () => lookup, set: () => undefined });
}

export async function isDelivered(target: HttpTarget, origin: string): Promise<boolean> {
  const outcome = await target.send(deliveryTo(origin), signal);
  return outcome.kind === 'delivered';
}

function deliveryTo(origin: string): Delivery {
  const settings = { maxAttempts: 1, timeoutMs: 10_000, verdicts: defaultVerdicts, maxAnswerBytes, signing: null };
  const delivery = { id: 'msg_bench', attempt: 1, redelivery: null, forwarded: [], url: { origin, path: '/hook' } };
  return { ...delivery, settings, source: { headers: {}, body } } as unknown as Delivery;
}
