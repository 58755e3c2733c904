// Log lines about deliveries that go well: of a sample of the messages, which is a setting.
import { Logger } from '@nestjs/common';
import type { ConfigWatch } from '../config-watch/config-watch.js';
import type { Delivery } from '../message/delivery.js';
import type { Outcome } from '../message/outcome.js';
import { isSampled } from '../message/sample.js';
import { storedTrace, traceIdOf } from '../message/trace-context.js';

export class SuccessLog {
  private readonly log = new Logger('Delivery');

  constructor(private readonly configWatch: ConfigWatch) {}

  tell(group: string, delivery: Delivery, outcome: Extract<Outcome, { kind: 'delivered' }>): void {
    const { id, origin, attempt, endpoint, destination, source } = delivery;
    if (!isSampled(id, this.configWatch.settings.log.sample)) return;
    const { topic, partition, offset } = origin;
    const trace = storedTrace(source.headers);
    this.log.log({
      msg: 'delivered',
      group,
      id,
      topic,
      partition,
      offset: `${offset}`,
      attempt,
      destination: endpoint ?? destination,
      status: outcome.status,
      durationMs: Math.round(outcome.durationMs * 1000) / 1000,
      ...(trace === null ? {} : { traceId: traceIdOf(trace) }),
    });
  }
}
