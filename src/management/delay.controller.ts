// /delay: how far each consumer group is behind, in the shapes that kmonitor had; more beside the count when asked.
import { All, Controller, Query, Res, ServiceUnavailableException } from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { textOf } from '../message/errors.js';
import { managementListener } from '../message/listener.js';
import type { ClusterRow, ClusterWatch } from '../monitor/cluster-watch.js';
import { Monitor } from '../monitor/monitor.js';
import { allTopics, eachTopic, type ReadCluster, treeOf, zabbixLines } from './delay-form.js';
import { flag, oneOf } from './query.js';

type Fields = Readonly<Record<string, unknown>>;

/** The part of a reply that is used here. */
interface Reply {
  header(name: string, value: string): unknown;
}

@Controller('delay')
export class DelayController {
  constructor(private readonly monitor: Monitor) {}

  /** `format` json (if absent) or zabbix; `cluster` one of them; `topic` each topic apart; `detail` age and forecast too. */
  @All()
  @RouteConstraints(managementListener)
  async delay(@Query() query: Fields, @Res({ passthrough: true }) reply: Reply): Promise<string> {
    const format = oneOf(query, 'format', ['json', 'zabbix']) ?? 'json';
    const names = this.monitor.clusters.map(({ name }) => name);
    const asked = oneOf(query, 'cluster', names);
    const detail = flag(query, 'detail');
    const byTopic = detail || flag(query, 'topic');
    const clusters = this.monitor.clusters.filter(({ name }) => asked === undefined || name === asked);
    const { read, lost } = await readAll(clusters, detail);
    if (lost.length > 0) {
      if (read.length === 0)
        throw new ServiceUnavailableException(lost.map(({ name, why }) => `${name}: ${why}`).join('; '));
      reply.header('bigpipe-unreachable', lost.map(({ name }) => name).join(', '));
    }
    const figures = read.flatMap(({ name, rows }) => (byTopic ? eachTopic(name, rows) : allTopics(name, rows)));
    reply.header('content-type', 'text/plain; charset=utf-8');
    if (format === 'zabbix') return figures.map((figure) => zabbixLines(figure, detail)).join('');
    return JSON.stringify(
      treeOf(
        read.map(({ name }) => name),
        figures,
        detail,
      ),
    );
  }
}

interface Lost {
  readonly name: string;
  readonly why: string;
}

/** A cluster that does not answer is named, and has no figures: old ones would hide that nobody consumes. */
async function readAll(clusters: readonly ClusterWatch[], withAges: boolean) {
  const readings = await Promise.all(
    clusters.map(async (cluster): Promise<ReadCluster | Lost> => {
      try {
        const rows = await cluster.rows();
        const ages = withAges ? await cluster.ages(rows) : new Map<ClusterRow, number | null>();
        return { name: cluster.name, rows: rows.map((row) => ({ row, ageSeconds: ages.get(row) ?? null })) };
      } catch (error) {
        return { name: cluster.name, why: textOf(error) };
      }
    }),
  );
  return {
    read: readings.filter((reading) => 'rows' in reading),
    lost: readings.filter((reading) => 'why' in reading),
  };
}
