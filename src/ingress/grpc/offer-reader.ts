// From a message as gRPC carries it to an offer to the producer, through the same checks as on /v1.
import type { Metadata } from '@grpc/grpc-js';
import { Injectable } from '@nestjs/common';
import type { AclEntry } from '../../acl/acl-entry.js';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { Clock } from '../../message/clock.js';
import type { Offer } from '../../producer/producer.js';
import { onceKeyOf } from '../idempotency-key.js';
import { draftOf } from '../messages/draft.js';
import { forbiddenOf, messageOf } from '../messages/message-maker.js';
import { type Fault, type Problem, problemOf } from '../messages/problem.js';
import { type MessageForm, serialize } from './protos.js';
import { writtenOf } from './written-message.js';

/** The field of a request that a message stands in. */
const place = 'message';

@Injectable()
export class OfferReader {
  constructor(
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
  ) {}

  read(form: MessageForm | undefined, caller: AclEntry, metadata: Metadata): Offer | Problem {
    if (form === undefined) {
      return problemOf('invalid-request', 'there is no message', [{ detail: 'it is needed', pointer: place }]);
    }
    const { settings } = this.configWatch;
    const faults: Fault[] = [];
    const written = writtenOf(form, place, metadata, settings.server.maxBodyBytes, faults);
    const nowMs = this.clock.now();
    const draft = draftOf(written, nowMs, faults);
    if (faults.length > 0) {
      return wrong(faults);
    }
    const forbidden = forbiddenOf(draft, caller, settings, written.placeOf);
    if (forbidden !== null) return forbidden;
    const { idempotencyKey, acks } = draft;
    const once = idempotencyKey === null ? null : onceKeyOf(caller.name, idempotencyKey, ['grpc', askedIn(form)]);
    return { message: messageOf(draft, caller, nowMs), acks, once };
  }
}

export function wrong(faults: readonly Fault[]): Problem {
  return problemOf('invalid-request', `${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}`, faults);
}

/** Of the same message always the same: the trace stands in the metadata. */
const askedIn = (form: MessageForm) => serialize('bigpipe.v1.Message', form);
