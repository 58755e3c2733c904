// The shapes in which /delay tells of lag: kmonitor's JSON and lines for Zabbix, and what may stand beside the count.
import type { ClusterRow } from '../monitor/cluster-watch.js';

export interface ReadCluster {
  readonly name: string;
  readonly rows: readonly { readonly row: ClusterRow; readonly ageSeconds: number | null }[];
}

/** The names above a figure, from the cluster down to the partition; without a topic it stands for all of the group's. */
export interface Figure {
  readonly path: readonly string[];
  readonly row: Pick<ClusterRow, 'lag' | 'committed' | 'highWatermark' | 'drainSeconds'>;
  readonly ageSeconds: number | null;
}

export function eachTopic(cluster: string, rows: ReadCluster['rows']): Figure[] {
  return rows.map(({ row, ageSeconds }) => ({
    path: [cluster, row.group, row.topic, `${row.partition}`],
    row,
    ageSeconds,
  }));
}

/** Partitions of one number stand together, as kmonitor had them; what waits in side topics waits for the group, too. */
export function allTopics(cluster: string, rows: ReadCluster['rows']): Figure[] {
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

/** Without a prototype: groups of others may be named as they like. */
type Branch = Record<string, unknown>;
const newBranch = () => Object.create(null) as Branch;

/** Cluster, group, perhaps topic, partition; a cluster without groups is an empty object. */
export function treeOf(clusters: readonly string[], figures: readonly Figure[], detail: boolean): object {
  const tree = newBranch();
  for (const name of clusters) tree[name] = newBranch();
  for (const figure of figures) {
    let branch = tree;
    for (const name of figure.path.slice(0, -1)) {
      branch[name] ??= newBranch();
      branch = branch[name] as Branch;
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

export function zabbixLines({ path, row, ageSeconds }: Figure, detail: boolean): string {
  const line = (what: string, value: bigint | number | null) =>
    `- ${zabbixKey(`${path.join('.')}.${what}`)} ${value}\n`;
  const lines = [line('delay', row.lag)];
  if (detail && ageSeconds !== null) lines.push(line('age', tenths(ageSeconds)));
  if (detail && row.drainSeconds !== null) lines.push(line('drain', tenths(row.drainSeconds)));
  return lines.join('');
}

/** Quoted where zabbix_sender would see its end too soon. */
const zabbixKey = (key: string) => (/[\s"\\]/.test(key) ? JSON.stringify(key) : key);

const tenths = (seconds: number | null) => (seconds === null ? null : Math.round(seconds * 10) / 10);
