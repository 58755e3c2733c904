// GET /delay: how far each consumer group is behind, in the shape that kmonitor had.
import { BadRequestException, Controller, Get, Header, Query } from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { Broker } from '../broker/broker.js';
import { ConfigWatch } from '../config-watch/config-watch.js';
import { managementListener } from '../message/listener.js';

/** The one log of this process; kmonitor watched several. */
const cluster = 'bigpipe';

/** Group → partition → messages behind. A group of several topics has the sum of its partitions of that number. */
type Delays = Record<string, Record<string, number>>;

@Controller('delay')
export class DelayController {
  constructor(
    private readonly broker: Broker,
    private readonly configWatch: ConfigWatch,
  ) {}

  /** `?format=json` (default) or `zabbix`; `?cluster=bigpipe`. */
  @Get()
  @Header('content-type', 'text/plain; charset=utf-8')
  @RouteConstraints(managementListener)
  delay(@Query() { format = 'json', cluster: asked = cluster }: Readonly<Record<string, unknown>>): string {
    if (asked !== cluster) throw new BadRequestException(`cluster: found ${String(asked)}, allowed: ${cluster}`);
    const delays = this.delays();
    if (format === 'json') return JSON.stringify({ [cluster]: delays });
    if (format !== 'zabbix') throw new BadRequestException(`format: found ${String(format)}, allowed: json, zabbix`);
    const lines = Object.entries(delays).flatMap(([group, partitions]) =>
      Object.entries(partitions).map(([partition, lag]) => `- ${cluster}.${group}.${partition}.delay ${lag}\n`),
    );
    return lines.join('');
  }

  private delays(): Delays {
    const delays: Delays = {};
    for (const { topic, groupId } of this.configWatch.settings.subscriptions) {
      const group = delays[groupId] ?? {};
      delays[groupId] = group;
      for (const { partition, lag } of this.broker.lag(groupId, topic)) {
        group[partition] = (group[partition] ?? 0) + Number(lag);
      }
    }
    return delays;
  }
}
