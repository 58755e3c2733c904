// The consumer-group handlers that the broker's transport drives.
import { Controller } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import {
  type AssignedEvent,
  BROKER_TRANSPORT,
  groupEvent,
  type MessagesEvent,
  type RevokedEvent,
} from '../broker/broker.transport.js';
import { Dispatcher } from './dispatcher.js';

@Controller()
export class DispatcherController {
  constructor(private readonly dispatcher: Dispatcher) {}

  @EventPattern<string>(groupEvent.assigned, BROKER_TRANSPORT)
  assigned(@Payload() event: AssignedEvent): void {
    this.dispatcher.assigned(event);
  }

  @EventPattern<string>(groupEvent.messages, BROKER_TRANSPORT)
  messages(@Payload() event: MessagesEvent): void {
    this.dispatcher.messages(event);
  }

  @EventPattern<string>(groupEvent.revoked, BROKER_TRANSPORT)
  async revoked(@Payload() event: RevokedEvent): Promise<void> {
    await this.dispatcher.revoked(event);
  }
}
