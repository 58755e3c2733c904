// From a transaction as gRPC carries it to one that can be begun, through the same checks as on /v1.
import type { Metadata } from '@grpc/grpc-js';
import { Injectable } from '@nestjs/common';
import type { AclEntry } from '../../acl/acl-entry.js';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { Clock } from '../../message/clock.js';
import type { NewTransaction } from '../../transaction/transactions.js';
import { onceKeyOf } from '../idempotency-key.js';
import type { Fault, Problem } from '../messages/problem.js';
import {
  checkCount,
  forbiddenIn,
  halfMessagesOf,
  maxMessages,
  type TransactionField,
  transactionDraftOf,
} from '../transactions/transaction-draft.js';
import { wrong } from './offer-reader.js';
import { type BeginTransactionRequest, serialize } from './protos.js';
import { secondsOf, writtenOf } from './written-message.js';

const names: Readonly<Record<TransactionField, string>> = {
  messages: 'messages',
  checkUrl: 'check_urls',
  firstCheckAfter: 'first_check_after',
  idempotencyKey: 'idempotency_key',
};

@Injectable()
export class TransactionReader {
  constructor(
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
  ) {}

  read(request: BeginTransactionRequest, caller: AclEntry, metadata: Metadata): NewTransaction | Problem {
    const { settings } = this.configWatch;
    const { messages, check_urls: checkUrls, first_check_after: after, idempotency_key: key = '' } = request;
    const faults: Fault[] = [];
    checkCount(messages.length, names.messages, faults);
    const written = {
      messages: messages
        .slice(0, maxMessages)
        .map((one, i) => writtenOf(one, `messages[${i}]`, metadata, settings.server.maxBodyBytes, faults)),
      checkUrl: checkUrls.length === 0 ? undefined : checkUrls,
      firstCheckAfter: after === undefined ? undefined : secondsOf(after),
      idempotencyKey: key === '' ? undefined : key,
      pointerOf: (field: TransactionField) => names[field],
    };
    const nowMs = this.clock.now();
    const draft = transactionDraftOf(written, caller, settings.transaction, nowMs, faults);
    if (faults.length > 0) return wrong(faults);
    const forbidden = forbiddenIn(draft, caller, settings);
    if (forbidden !== null) return forbidden;
    const { firstCheckMs, idempotencyKey } = draft;
    const asked = () => ['grpc', serialize('bigpipe.v1.BeginTransactionRequest', request)];
    const once = idempotencyKey === null ? null : onceKeyOf(caller.name, idempotencyKey, asked());
    const half = halfMessagesOf(draft, caller, nowMs);
    return { messages: half, caller: caller.name, checkUrls: draft.checkUrls, firstCheckMs, once };
  }
}
