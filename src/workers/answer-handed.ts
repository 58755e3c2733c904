// Answers in the main process what a worker does not answer itself, as if it had come in here.
import type { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, InjectOptions } from 'fastify';
import type { HandedAnswer, HandedRequest } from './control-channel.js';

export function answerHanded(adapterHost: HttpAdapterHost): (request: HandedRequest) => Promise<HandedAnswer> {
  return async ({ method, url, headers, body, remoteAddress }) => {
    const fastify = adapterHost.httpAdapter.getInstance<FastifyInstance>();
    const response = await fastify.inject({
      method: method as NonNullable<InjectOptions['method']>,
      url,
      headers: { ...headers },
      remoteAddress,
      ...(body === null ? {} : { payload: Buffer.from(body) }),
    });
    return { status: response.statusCode, headers: settled(response.headers), body: response.rawPayload };
  };
}

/** Of one connection, and not of the answer. */
const ofConnection: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'transfer-encoding', 'date']);

function settled(headers: Readonly<Record<string, number | string | string[] | undefined>>): HandedAnswer['headers'] {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      if (value === undefined || ofConnection.has(name)) return [];
      return [[name, typeof value === 'number' ? String(value) : value]];
    }),
  );
}
