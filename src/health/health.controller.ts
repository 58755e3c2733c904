// /livez, /readyz, /startupz and /health: bare for everybody, with details for the operator.
import { Controller, Get, Res } from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { SkipThrottle } from '@nestjs/throttler';
import { mainListener, managementListener } from '../message/listener.js';
import { BrokerIndicator } from './broker.indicator.js';
import { ConfigIndicator } from './config.indicator.js';
import { DrainIndicator } from './drain.indicator.js';
import { SharedStateIndicator } from './shared-state.indicator.js';
import { WorkersIndicator } from './workers.indicator.js';

/** The part of a reply that is used here. */
interface Reply {
  status(code: number): unknown;
}

@Controller()
@SkipThrottle()
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly broker: BrokerIndicator,
    private readonly draining: DrainIndicator,
    private readonly config: ConfigIndicator,
    private readonly workers: WorkersIndicator,
    private readonly sharedState: SharedStateIndicator,
  ) {}

  /**
   * The event loop turns, and what writes the log has not died under us. Nothing else is asked, so that no trouble that a
   * restart does not heal gets the process killed.
   */
  @Get('livez')
  live(@Res({ passthrough: true }) reply: Reply): { status: string } {
    return answer(reply, !this.broker.isDead);
  }

  /** Whoever is answered at all: the listeners open when the log has been recovered and the subscriptions are served. */
  @Get('startupz')
  started(@Res({ passthrough: true }) reply: Reply): { status: string } {
    return answer(reply, true);
  }

  /** 200 while calls can be taken and stored, else 503. */
  @Get('readyz')
  ready(@Res({ passthrough: true }) reply: Reply): { status: string } {
    return this.bare(reply);
  }

  @Get('health')
  @RouteConstraints(mainListener)
  bareHealth(@Res({ passthrough: true }) reply: Reply): { status: string } {
    return this.bare(reply);
  }

  @Get('health')
  @RouteConstraints(managementListener)
  @HealthCheck()
  details(): Promise<HealthCheckResult> {
    return this.health.check(
      [this.broker, this.draining, this.config, this.workers, this.sharedState].map(
        (indicator) => () => indicator.check(),
      ),
    );
  }

  private bare(reply: Reply): { status: string } {
    const shown = { ...this.broker.check(), ...this.draining.check(), ...this.workers.check() };
    return answer(
      reply,
      Object.values(shown).every(({ status }) => status === 'up'),
    );
  }
}

function answer(reply: Reply, isUp: boolean): { status: string } {
  reply.status(isUp ? 200 : 503);
  return { status: isUp ? 'ok' : 'error' };
}
