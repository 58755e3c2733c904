// The program's HTTP target and a delivery for it, made by hand.
import { lookup } from 'node:dns';
import type { ConfigWatch } from '#src/config-watch/config-watch.js';
import { SystemClock } from '#src/message/clock.js';
import type { Delivery } from '#src/message/delivery.js';
import { EgressRules } from '#src/message/egress-rules.js';
import { defaultVerdicts } from '#src/message/verdict.js';
import { Connectors } from '#src/target/http/connectors.js';
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

/** Of many rounds, the fastest: what it takes when nobody disturbs. Nanoseconds of one judgement. */
function fastestNs(judge: (round: number) => void): number {
  const [rounds, tries] = [200_000, 9];
  const took = Array.from({ length: tries }, () => {
    const startedMs = performance.now();
    for (let round = 0; round < rounds; round += 1) judge(round);
    return ((performance.now() - startedMs) * 1e6) / rounds;
  });
  return Math.min(...took);
}

/** What the guard does for a delivery, and what it does besides for a connection to a name with two addresses. */
export function guardNs(): { delivery: number; connection: number } {
  const rules = new EgressRules({ allow: egress.allow, ports: null, schemes: ['http', 'https'] });
  const origins = Array.from({ length: 500 }, (_, i) => `https://h${i}.example.com`);
  return {
    delivery: fastestNs((round) => rules.againstOrigin(origins[round % origins.length] as string)),
    connection: fastestNs(() => {
      rules.againstAddress('127.0.0.1', 'localhost');
      rules.againstAddress('::1', 'localhost');
    }),
  };
}

let maxAnswerBytes = 65_536;

export function newTarget({ isGuarded, keeps }: TargetKind): HttpTarget {
  // An answer that is longer ends its connection.
  maxAnswerBytes = keeps ? maxAnswerBytes : 0;
  const target = new HttpTarget(new SystemClock(), { settings: { egress } } as unknown as ConfigWatch);
  if (!isGuarded) takeGuardAway(target);
  return target;
}

/** What is left is what there would be without it. */
function takeGuardAway(target: HttpTarget): void {
  const { egress } = target as unknown as { egress: object };
  Object.assign(egress, { connectors: new Connectors(tls, {}, lookup), against: () => null });
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
