// Writes down how deliveries ended where somebody wants to know: the answer's topic, and the callback to a URL.
import type { Broker } from '../../broker/broker.js';
import type { Clock } from '../../message/clock.js';
import { BigpipeError, textOf } from '../../message/errors.js';
import type { Message } from '../../message/message.js';
import { appendPersistently } from '../append-persistently.js';
import type { ClientCounters } from '../subscription-counters.js';
import type { Work } from '../window/partition-window.js';
import { callbackOf, type Ending } from './callback.js';

export interface EndingsKeptParts {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly groupId: string;
  readonly client: ClientCounters;
  readonly report: (text: string, details: object) => void;
}

/** Both resolve to true once it is durable, to false when the partition has gone before. */
export class EndingsKept {
  constructor(private readonly parts: EndingsKeptParts) {}

  async keep(record: Message, { window, delivery }: Work): Promise<boolean> {
    const { partition, offset } = delivery.origin;
    const kept = await appendPersistently(this.parts, record, window, (error) =>
      this.parts.report('the end of a delivery could not be written down, will try again', {
        partition,
        offset: `${offset}`,
        error: textOf(error),
      }),
    );
    return kept !== null;
  }

  async callBack(work: Work, ending: Ending): Promise<boolean> {
    const { delivery, window } = work;
    const { parts } = this;
    const url = delivery.callbackUrl as string;
    const append = (how: Ending) =>
      appendPersistently(parts, callbackOf(delivery, url, parts.groupId, how), window, (error) => {
        parts.report('a callback could not be stored, will try again', { id: delivery.id, error: textOf(error) });
        if (error instanceof BigpipeError && error.code === 'message-too-large') throw error;
      });
    const tooLong = { status: ending.status, detail: 'the answer is longer than a message may be' };
    const place = await append(ending).catch(() => append(tooLong));
    if (place !== null) parts.client.callbacks += 1;
    return place !== null;
  }
}
