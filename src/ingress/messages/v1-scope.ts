// The part of the main listener where /v1 stands: bodies as bytes, every fault as problem+json.
import { Logger } from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify';
import type { ConfigWatch } from '../../config-watch/config-watch.js';
import type { DoorReply } from '../exchange.js';
import { openRawScope } from '../raw-scope.js';
import { type Problem, problemOf, problemOfError, sendProblem } from './problem.js';

const log = new Logger('MessagesDoor');

/** `unreadable` is told of each request whose body could not be read. */
export function openV1Scope(
  adapterHost: HttpAdapterHost,
  configWatch: ConfigWatch,
  addRoutes: (scope: FastifyInstance) => void,
  unreadable: () => void = () => undefined,
): void {
  openRawScope(
    adapterHost,
    () => configWatch.settings.server.maxBodyBytes,
    (scope) => {
      scope.setErrorHandler<FastifyError>((error, _request, reply) => {
        if (error.statusCode !== undefined && error.statusCode < 500) unreadable();
        if (error.statusCode === 413) return sendProblem(reply, problemOf('message-too-large', error.message));
        if (error.statusCode !== undefined && error.statusCode < 500)
          return sendProblem(reply, problemOf('invalid-request', error.message));
        return sendError(reply, error);
      });
      addRoutes(scope);
    },
  );
}

export function sendError<Reply extends DoorReply>(reply: Reply, error: unknown): Reply {
  return sendProblem(reply, toldProblem(error));
}

/** What is bigpipe's own fault is told in the log. */
export function toldProblem(error: unknown): Problem {
  const problem = problemOfError(error);
  if (problem.code === 'internal') log.error({ msg: 'a request failed', err: error });
  return problem;
}

export const refuseMethod = (reply: FastifyReply) =>
  sendProblem(reply, problemOf('method-not-allowed', `allowed: ${String(reply.getHeader('allow'))}`));

/** Before any door: what stands in the URL cannot be read. */
export const refuseUrl = (error: Error, reply: FastifyReply) =>
  sendProblem(reply, problemOf('invalid-request', error.message));
