// /migration: moves the embedded log to Kafka while calls come in, and tells how that goes.
import { BadRequestException, Body, ConflictException, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { LogMove, type MoveReport } from '../broker/moving/log-move.js';
import { shortenedNote } from '../dispatcher/window/offset-tracker.js';
import { BigpipeError } from '../message/errors.js';
import { managementListener } from '../message/listener.js';

const serverPattern = /^(\[[0-9a-f:]+\]|[\w.-]{1,255}):\d{1,5}$/i;
const maxServers = 100;

@Controller('migration')
export class MigrationController {
  constructor(private readonly move: LogMove) {}

  @Get()
  @RouteConstraints(managementListener)
  report(): MoveReport {
    return this.move.report;
  }

  /** `{"to": "kafka", "servers": ["host:port"]}`; without servers as kafka.bootstrap.servers says. */
  @Post()
  @HttpCode(202)
  @RouteConstraints(managementListener)
  begin(@Body() body: unknown): MoveReport {
    const { to, servers = [] } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
    if (to !== 'kafka') throw new BadRequestException(`to: found ${JSON.stringify(to) ?? 'nothing'}, allowed: "kafka"`);
    const begun = this.begun(serversOf(servers));
    if (begun === null) throw new ConflictException(`a move to ${this.move.report.to} is ${this.move.report.state}`);
    return begun;
  }

  private begun(servers: readonly string[]): MoveReport | null {
    try {
      return this.move.begin({ servers, shorten: shortenedNote });
    } catch (error) {
      if (error instanceof BigpipeError) throw new BadRequestException(error.message);
      throw error;
    }
  }
}

function serversOf(value: unknown): readonly string[] {
  const isList = Array.isArray(value) && value.length <= maxServers;
  if (isList && value.every((one): one is string => typeof one === 'string' && serverPattern.test(one))) return value;
  throw new BadRequestException(
    `servers: found ${JSON.stringify(value)?.slice(0, 200)}, allowed: texts like "10.0.0.7:9092"`,
  );
}
