// GET /attempts?id=: how the attempts of one message ended, those that are still known. GET /failures: what fails, by kind.
import { BadRequestException, Controller, Get, Query } from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { Dispatcher } from '../dispatcher/dispatcher.js';
import type { FailureRow } from '../dispatcher/view/attempt-watch.js';
import { managementListener } from '../message/listener.js';
import { isMessageId } from '../message/message-id.js';

/** All that are kept. */
const maxFailures = 1024;

interface ShownAttempt {
  readonly id: string;
  readonly topic: string;
  readonly groupId: string;
  readonly destination: string;
  readonly attempt: number;
  /** delivered, retry or rejected. */
  readonly kind: string;
  /** 0 when no answer came. */
  readonly status: number;
  readonly detail: string;
  /** The beginning of it. */
  readonly answer: string;
  readonly ended: string;
  readonly durationMs: number;
}

@Controller()
export class AttemptsController {
  constructor(private readonly dispatcher: Dispatcher) {}

  /** Failed ones, and those that went well after failures; of this process, the newest of all messages. */
  @Get('attempts')
  @RouteConstraints(managementListener)
  attempts(@Query('id') id: unknown): { attempts: ShownAttempt[] } {
    if (!isMessageId(id)) throw new BadRequestException('id is missing or no message id');
    const attempts = this.dispatcher.attempts.ofMessage(id).map(({ endedMs, durationMs, ...rest }) => ({
      ...rest,
      ended: new Date(endedMs).toISOString(),
      durationMs: Math.round(durationMs),
    }));
    return { attempts };
  }

  @Get('failures')
  @RouteConstraints(managementListener)
  failures(): { failures: FailureRow[] } {
    return { failures: this.dispatcher.attempts.failures(maxFailures) };
  }
}
