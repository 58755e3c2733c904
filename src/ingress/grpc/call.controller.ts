// Call: a message is stored, and the receiver's answer to it is the answer, if it comes before the call's own deadline.
import { Metadata, type ServerUnaryCall } from '@grpc/grpc-js';
import { Controller } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';
import { messageHeader } from '../../message/message.js';
import type { Reply } from '../../message/reply.js';
import { type Accepted, type Offer, Producer } from '../../producer/producer.js';
import { durabilityHeader, durabilityWord } from '../durability-word.js';
import { problemOf } from '../messages/problem.js';
import { toldProblem } from '../messages/v1-scope.js';
import type { WaitingCaller } from '../waiting-caller.js';
import { GrpcCaller } from './grpc-caller.js';
import { GrpcCounters } from './grpc-counters.js';
import { GrpcWaitingRoom } from './grpc-waiting-room.js';
import { OfferReader } from './offer-reader.js';
import { type CallResponse, type MessageRequest, serviceName } from './protos.js';
import { deadlineExceeded, refusalOf } from './refusal.js';

type Call = ServerUnaryCall<MessageRequest, CallResponse>;

@Controller()
export class CallController {
  constructor(
    private readonly callers: GrpcCaller,
    private readonly offers: OfferReader,
    private readonly producer: Producer,
    private readonly room: GrpcWaitingRoom,
    private readonly counters: GrpcCounters,
  ) {}

  @GrpcMethod(serviceName, 'Call')
  async call({ message }: MessageRequest, metadata: Metadata, call: Call): Promise<CallResponse> {
    const { accepted, waiting } = await this.counters.count(async () => {
      const caller = await this.callers.admit(call);
      const offer = this.offers.read(message, caller, metadata);
      if ('code' in offer) throw refusalOf(offer);
      return this.store(offer, call);
    });
    // Whatever becomes of the call, the caller knows now that it is stored, and as what.
    call.sendMetadata(storedAs(accepted));
    const reply = await waiting.reply(accepted.id, accepted.isReplay);
    if (reply === null) throw deadlineExceeded('no answer in time; the message is stored, and its delivery goes on');
    return responseOf(reply);
  }

  private async store(offer: Offer, call: Call): Promise<{ accepted: Accepted; waiting: WaitingCaller }> {
    const { message, waiting } = this.room.begin(offer.message, call);
    try {
      return { accepted: await this.producer.acceptOnce({ ...offer, message }), waiting };
    } catch (error) {
      waiting.giveUp();
      throw refusalOf(toldProblem(error));
    }
  }
}

function storedAs({ id, durability }: Accepted): Metadata {
  const metadata = new Metadata();
  metadata.set(messageHeader.id, id);
  metadata.set(durabilityHeader, durabilityWord(durability));
  return metadata;
}

function responseOf(reply: Reply): CallResponse {
  const { id, status } = reply;
  if (reply.kind === 'failed') {
    const told = status === 0 ? reply.detail : `${reply.detail} (it answered ${status})`;
    throw refusalOf(problemOf('not-delivered', told));
  }
  const headers = Object.entries(reply.headers).map(([name, value]) => ({ name, value }));
  return { id, status, headers, body: reply.body };
}
