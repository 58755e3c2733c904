// BeginTransaction, CommitTransaction, RollBackTransaction and GetTransaction: what /v1/transactions does, over gRPC.
import type { Metadata, ServerUnaryCall } from '@grpc/grpc-js';
import { Controller } from '@nestjs/common';
import { GrpcMethod, RpcException } from '@nestjs/microservices';
import type { AclEntry } from '../../acl/acl-entry.js';
import { messageHeader } from '../../message/message.js';
import { isMessageId } from '../../message/message-id.js';
import type { HalfMessage } from '../../transaction/half-messages.js';
import { Transactions, type TransactionView } from '../../transaction/transactions.js';
import { durabilityWord } from '../durability-word.js';
import { toldProblem } from '../messages/v1-scope.js';
import { contraryOf, notThere, switchedOff } from '../transactions/transaction-problems.js';
import { GrpcCaller } from './grpc-caller.js';
import { GrpcCounters } from './grpc-counters.js';
import { timestampOf } from './moment-forms.js';
import {
  type BeginTransactionRequest,
  type BeginTransactionResponse,
  serviceName,
  type TransactionForm,
  type TransactionRequest,
  type TransactionResponse,
} from './protos.js';
import { refusalOf } from './refusal.js';
import { TransactionReader } from './transaction-reader.js';

type Call = ServerUnaryCall<TransactionRequest, TransactionResponse>;

@Controller()
export class TransactionController {
  constructor(
    private readonly callers: GrpcCaller,
    private readonly reader: TransactionReader,
    private readonly transactions: Transactions,
    private readonly counters: GrpcCounters,
  ) {}

  @GrpcMethod(serviceName, 'BeginTransaction')
  async begin(
    request: BeginTransactionRequest,
    metadata: Metadata,
    call: ServerUnaryCall<BeginTransactionRequest, BeginTransactionResponse>,
  ): Promise<BeginTransactionResponse> {
    return this.counters.count(async () => {
      if (!this.transactions.isEnabled) throw refusalOf(switchedOff);
      const caller = await this.callers.admit(call);
      const wanted = this.reader.read(request, caller, metadata);
      if ('code' in wanted) throw refusalOf(wanted);
      return answered(async () => {
        const { id, durability, isReplay } = await this.transactions.begin(wanted);
        const messages = isReplay ? await this.transactions.messagesOf(id) : wanted.messages;
        const durable = durabilityWord(durability);
        return { id, durability: durable, replayed: isReplay, message_ids: messages.map(idOf) };
      });
    });
  }

  @GrpcMethod(serviceName, 'CommitTransaction')
  commit(request: TransactionRequest, _metadata: Metadata, call: Call): Promise<TransactionResponse> {
    return this.show(request, call, async (id, { name }) => {
      const view = await this.transactions.decide(id, 'commit', name);
      if (view !== null && view.state !== 'committed') throw refusalOf(contraryOf(view));
      return view;
    });
  }

  @GrpcMethod(serviceName, 'RollBackTransaction')
  rollBack(request: TransactionRequest, _metadata: Metadata, call: Call): Promise<TransactionResponse> {
    return this.show(request, call, async (id, { name }) => {
      const view = await this.transactions.decide(id, 'rollback', name);
      if (view !== null && view.state !== 'rolled-back') throw refusalOf(contraryOf(view));
      return view;
    });
  }

  @GrpcMethod(serviceName, 'GetTransaction')
  get(request: TransactionRequest, _metadata: Metadata, call: Call): Promise<TransactionResponse> {
    return this.show(request, call, (id, { name }) => this.transactions.find(id, name));
  }

  /** How it stands once `work` is done; what that resolves null for is not there. */
  private async show(
    { id = '' }: TransactionRequest,
    call: Call,
    work: (id: string, caller: AclEntry) => Promise<TransactionView | null>,
  ): Promise<TransactionResponse> {
    if (!this.transactions.isEnabled) throw refusalOf(switchedOff);
    const caller = await this.callers.admit(call);
    return answered(async () => {
      const view = isMessageId(id) ? await work(id, caller) : null;
      if (view === null) throw refusalOf(notThere);
      return { transaction: formOf(view, await this.transactions.messagesOf(view.id)) };
    });
  }
}

/** What is refused already stays as it is. */
async function answered<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof RpcException ? error : refusalOf(toldProblem(error));
  }
}

const idOf = ({ headers }: HalfMessage) => headers[messageHeader.id] ?? '';

function formOf(view: TransactionView, messages: readonly HalfMessage[]): TransactionForm {
  const { id, state, createdMs, checks, checkUrls, nextCheckMs, decidedBy, decidedMs } = view;
  const isOpen = decidedMs === null;
  return {
    id,
    state: `TRANSACTION_STATE_${state.toUpperCase().replaceAll('-', '_')}`,
    created_at: timestampOf(createdMs),
    messages: messages.map((one) => ({
      id: idOf(one),
      topic: one.topic,
      url: one.headers[messageHeader.url] ?? '',
      ...(one.key === null ? {} : { key: one.key }),
    })),
    checks,
    check_urls: isOpen ? checkUrls : [],
    decided_by: decidedBy ?? '',
    ...(nextCheckMs === null ? {} : { next_check_at: timestampOf(nextCheckMs) }),
    ...(isOpen ? {} : { decided_at: timestampOf(decidedMs) }),
  };
}
