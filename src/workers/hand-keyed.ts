// Calls that bear an idempotency key: a worker hands them to the main process, whose producer knows the keys.
import { BigpipeError, textOf } from '../message/errors.js';
import { weightOf } from '../message/message.js';
import { Admission } from '../producer/admission.js';
import type { Producer } from '../producer/producer.js';
import { type Answerers, type ControlChannel, refusalOf } from './control-channel.js';

/** The log answers, or fails, in far less. */
const answerMs = 60_000;
/** Of requests on their way there; the main process's own bound comes behind it. */
const maxAtOnce = 4096;
const maxBytesAtOnce = 16 * 1_048_576;

/** The worker's end. A call that is not answered in time may be stored: the same key again tells. */
export function handKeyed(producer: Producer, channel: ControlChannel): void {
  const admission = new Admission(maxAtOnce, maxBytesAtOnce);
  producer.handKeyed(async (offers) => {
    const weight = offers.reduce((sum, { message }) => sum + weightOf(message), 0);
    if (!admission.enter(weight)) return offers.map(() => new BigpipeError('overloaded', 'too many calls wait'));
    try {
      const results = await channel.ask('keyed', offers, answerMs);
      return results.map((result) => ('code' in result ? new BigpipeError(result.code, result.message) : result));
    } catch (error) {
      return offers.map(() => new BigpipeError('storage-failed', textOf(error), { cause: error }));
    } finally {
      admission.leave(weight);
    }
  });
}

/** The main process's end. */
export function acceptHanded(producer: Producer): NonNullable<Answerers['keyed']> {
  return async (offers) => {
    const results = await producer.acceptAll(offers);
    return results.map((result) => (result instanceof BigpipeError ? refusalOf(result) : result));
  };
}
