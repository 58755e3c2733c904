// /delay: how far each consumer group is behind, in the shapes that kmonitor had; more beside the count when asked.
import { All, Controller, Query, Res, ServiceUnavailableException } from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { textOf } from '../message/errors.js';
import { managementListener } from '../message/listener.js';
import type { ClusterRow, ClusterWatch } from '../monitor/cluster-watch.js';
import { Monitor } from '../monitor/monitor.js';
import { flag, oneOf } from './query.js';

type Fields = Readonly<Record<string, unknown>>;

/** The part of a reply that is used here. */
interface Reply {
  header(name: string, value: string): unknown;
}

/** The names above a figure, from the cluster down to the partition; without a topic it stands for all of the group's. */
interface Figure {
  readonly path: readonly string[];
  readonly row: Pick<ClusterRow, 'lag' | 'committed' | 'highWatermark' | 'drainSeconds'>;
  readonly ageSeconds: number | null;
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

interface Read {
  readonly name: string;
  readonly rows: readonly { readonly row: ClusterRow; readonly ageSeconds: number | null }[];
}

/** A cluster that does not answer is named, and has no figures: old ones would hide that nobody consumes. */
async function readAll(clusters: readonly ClusterWatch[], withAges: boolean) {
  const readings = await Promise.all(
    clusters.map(async (cluster): Promise<Read | Lost> => {
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

function eachTopic(cluster: string, rows: Read['rows']): Figure[] {
  return rows.map(({ row, ageSeconds }) => ({
    path: [cluster, row.group, row.topic, `${row.partition}`],
    row,
    ageSeconds,
  }));
}

/** Partitions of one number stand together, as kmonitor had them; what waits in side topics waits for the group, too. */
function allTopics(cluster: string, rows: Read['rows']): Figure[] {
  const sums = new Map<string, Figure & { row: { lag: bigint } }>();
  for (const { row } of rows) {
    const { group, partition, lag } = row;
    const name = `${group} ${partition}`;
    const sum = sums.get(name);
    if (sum === undefined) {
      sums.set(name, { path: [cluster, group, `${partition}`], row: { ...row }, ageSeconds: null });
    } else sum.row.lag += lag;
  }
  return [...sums.values()];
}

/** Cluster, group, perhaps topic, partition; a cluster without groups is an empty object. */
function treeOf(clusters: readonly string[], figures: readonly Figure[], detail: boolean): object {
  const tree: Record<string, unknown> = Object.fromEntries(clusters.map((name) => [name, {}]));
  for (const figure of figures) {
    const names = figure.path.slice(0, -1);
    let branch = tree;
    for (const name of names) {
      branch[name] ??= {};
      branch = branch[name] as Record<string, unknown>;
    }
    branch[figure.path.at(-1) as string] = detail ? detailsOf(figure) : Number(figure.row.lag);
  }
  return tree;
}

function detailsOf({ row: { lag, committed, highWatermark, drainSeconds }, ageSeconds }: Figure): object {
  return {
    lag: Number(lag),
    // Offsets are texts: they may pass what a JSON number holds.
    committed: committed === null ? null : `${committed}`,
    end: `${highWatermark}`,
    ageSeconds: tenths(ageSeconds),
    drainSeconds: tenths(drainSeconds),
  };
}

function zabbixLines({ path, row, ageSeconds }: Figure, detail: boolean): string {
  const name = path.join('.');
  const lines = [`- ${name}.delay ${row.lag}\n`];
  if (detail && ageSeconds !== null) lines.push(`- ${name}.age ${tenths(ageSeconds)}\n`);
  if (detail && row.drainSeconds !== null) lines.push(`- ${name}.drain ${tenths(row.drainSeconds)}\n`);
  return lines.join('');
}

const tenths = (seconds: number | null) => (seconds === null ? null : Math.round(seconds * 10) / 10);
