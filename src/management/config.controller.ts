// GET /config: what is in force. POST /config/check: what a file would change, without doing it.
import { BadRequestException, Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { type CheckedConfig, ConfigWatch } from '../config-watch/config-watch.js';
import { managementListener } from '../message/listener.js';

interface ConfigPage {
  readonly file: string;
  /** 1 at the start, and one more with each change. */
  readonly version: number;
  readonly loadedAt: string;
  /** Why the file as it is now is not, or not wholly, in force. */
  readonly lastError: { readonly since: string; readonly faults: readonly string[] } | null;
  readonly pendingRestart: readonly string[];
  readonly settings: Readonly<Record<string, unknown>>;
}

@Controller('config')
export class ConfigController {
  constructor(private readonly configWatch: ConfigWatch) {}

  @Get()
  @RouteConstraints(managementListener)
  read(): ConfigPage {
    const { file, version, loadedAtMs, lastError, pendingRestart, keys } = this.configWatch;
    return {
      file,
      version,
      loadedAt: new Date(loadedAtMs).toISOString(),
      lastError:
        lastError === null ? null : { since: new Date(lastError.sinceMs).toISOString(), faults: lastError.faults },
      pendingRestart,
      settings: keys,
    };
  }

  /** The body is the whole configuration, as text/plain or application/json. Its references are resolved here. */
  @Post('check')
  @HttpCode(200)
  @RouteConstraints(managementListener)
  check(@Body() body: unknown): CheckedConfig & { readonly valid: boolean } {
    if (body === undefined || body === null || body === '') {
      throw new BadRequestException('the body: found nothing, allowed: the text of a configuration file');
    }
    const checked = this.configWatch.check(typeof body === 'string' ? body : JSON.stringify(body));
    return { valid: checked.faults.length === 0, ...checked };
  }
}
