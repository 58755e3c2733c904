// Requests for messages that come in at a worker: the main process has the messages, and they may wait there for long.
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ConfigWatch } from '../config-watch/config-watch.js';
import { groupPath } from '../ingress/pull/pull.door.js';
import { signedAgain } from '../ingress/pull/signed-again.js';
import { openRawScope } from '../ingress/raw-scope.js';
import { stayOpen } from '../ingress/waiting-caller.js';
import { Clock } from '../message/clock.js';
import { mainListener } from '../message/listener.js';
import { ControlChannel, type HandedAnswer, type HandedRequest } from './control-channel.js';
import { handedOf, later } from './handed-request.js';

/** Beyond the time that it may wait there. */
const answerMs = 30_000;
/** Also those that do not wait. */
const fewestAtOnce = 1024;

@Injectable()
export class HandingPullDoor implements OnModuleInit {
  private atOnce = 0;

  constructor(
    private readonly channel: ControlChannel,
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  onModuleInit(): void {
    openRawScope(
      this.adapterHost,
      () => this.configWatch.settings.server.maxBodyBytes,
      (scope) => {
        scope.route({
          method: 'POST',
          url: `${groupPath}/pull`,
          constraints: mainListener,
          handler: (request, reply) => this.hand(request, reply),
        });
      },
    );
  }

  private async hand(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { maxWaiting, maxWaitMs } = this.configWatch.settings.pull;
    if (this.atOnce >= Math.max(fewestAtOnce, maxWaiting)) return later(reply);
    this.atOnce += 1;
    const leave = stayOpen(request.raw.socket);
    const handed = handedOf(request);
    let answer: HandedAnswer | null = null;
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished && answer !== null) this.giveBack(handed, answer);
    });
    try {
      const got = await this.channel.ask('handed', handed, maxWaitMs + answerMs);
      answer = got;
      if (reply.raw.destroyed) this.giveBack(handed, got);
      return reply.status(got.status).headers(got.headers).send(Buffer.from(got.body));
    } catch {
      return later(reply);
    } finally {
      this.atOnce -= 1;
      leave();
    }
  }

  /** He was gone before the answer: his messages go to somebody else. */
  private giveBack({ url, ...handed }: HandedRequest, { status, body: answer }: HandedAnswer): void {
    if (status !== 200) return;
    const { messages } = JSON.parse(Buffer.from(answer).toString('utf8')) as { messages: { lease: string }[] };
    if (messages.length === 0) return;
    const nack = {
      leases: messages.map(({ lease }) => lease),
      delaySeconds: 0,
      reason: 'whoever fetched it was gone before the answer',
    };
    const { 'content-length': _, ...headers } = handed.headers;
    const body = Buffer.from(JSON.stringify(nack));
    const path = url.replace(/\/pull(?=$|\?)/, '/nack');
    const { secret } = this.configWatch.settings.cluster;
    const request = {
      ...handed,
      headers: signedAgain(headers, { path, body }, secret, this.clock.now()),
      url: path,
      body,
    };
    // Else the leases run out.
    this.channel.ask('handed', request, answerMs).catch(() => undefined);
  }
}
