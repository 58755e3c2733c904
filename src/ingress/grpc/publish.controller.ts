// Publish and PublishStream: messages that are stored, one by one or as a stream.
import type { Metadata, ServerDuplexStream, ServerUnaryCall } from '@grpc/grpc-js';
import { Controller } from '@nestjs/common';
import { GrpcMethod, GrpcStreamCall } from '@nestjs/microservices';
import { type Accepted, Producer } from '../../producer/producer.js';
import { durabilityWord } from '../durability-word.js';
import { toldProblem } from '../messages/v1-scope.js';
import { Closing } from './closing.js';
import { GrpcCaller } from './grpc-caller.js';
import { GrpcCounters } from './grpc-counters.js';
import { OfferReader } from './offer-reader.js';
import {
  type MessageRequest,
  type PublishResponse,
  type PublishStreamRequest,
  type PublishStreamResponse,
  serviceName,
} from './protos.js';
import { PublishStream } from './publish-stream.js';
import { refusalOf } from './refusal.js';

@Controller()
export class PublishController {
  constructor(
    private readonly callers: GrpcCaller,
    private readonly offers: OfferReader,
    private readonly producer: Producer,
    private readonly closing: Closing,
    private readonly counters: GrpcCounters,
  ) {}

  @GrpcMethod(serviceName, 'Publish')
  async publish(
    { message }: MessageRequest,
    metadata: Metadata,
    call: ServerUnaryCall<MessageRequest, PublishResponse>,
  ): Promise<PublishResponse> {
    return this.counters.count(async () => {
      const caller = await this.callers.admit(call);
      const offer = this.offers.read(message, caller, metadata);
      if ('code' in offer) throw refusalOf(offer);
      const accepted = await this.producer.acceptOnce(offer).catch((error: unknown) => {
        throw refusalOf(toldProblem(error));
      });
      return publishedOf(accepted);
    });
  }

  /** Never throws: Nest lets nobody hear of it. */
  @GrpcStreamCall(serviceName, 'PublishStream')
  publishStream(call: ServerDuplexStream<PublishStreamRequest, PublishStreamResponse>): void {
    const { callers, offers, producer, closing, counters } = this;
    new PublishStream(call, {
      callerOf: () => callers.find(call),
      read: (request, caller) => offers.read(request.message, caller, call.metadata),
      store: (accepted) => producer.acceptAll(accepted),
      closing,
      counters,
    }).start();
  }
}

export function publishedOf({ id, durability, isReplay }: Accepted): PublishResponse {
  return { id, durability: durabilityWord(durability), replayed: isReplay };
}
