// What /metrics says of the workers: how many serve, and what each of them uses.
import { performance } from 'node:perf_hooks';
import type { Metrics, Shape } from '../stats/metrics/metrics.js';

/** What a worker tells of itself beside its counters. */
export interface WorkerUse {
  readonly residentBytes: number;
  readonly cpuSeconds: number;
  /** In which its event loop was at work. */
  readonly busySeconds: number;
}

/** Of this process. */
export function useOfThis(): WorkerUse {
  const { user, system } = process.cpuUsage();
  return {
    residentBytes: process.memoryUsage.rss(),
    cpuSeconds: (user + system) / 1e6,
    busySeconds: performance.eventLoopUtilization().active / 1000,
  };
}

interface WorkerStats {
  readonly serving: number;
  readonly replaced: number;
  readonly connections?: number;
  readonly use?: Readonly<Record<string, WorkerUse>>;
}

const shapes: readonly Shape[] = [
  { name: 'bigpipe_workers', help: 'Workers that take calls, of those that shall', type: 'gauge', labels: ['state'] },
  {
    name: 'bigpipe_worker_replacements_total',
    help: 'Workers that ended and were replaced',
    type: 'counter',
    labels: [],
  },
  { name: 'bigpipe_worker_connections', help: 'Connections that all workers have open', type: 'gauge', labels: [] },
  { name: 'bigpipe_worker_resident_memory_bytes', help: 'Memory of a worker', type: 'gauge', labels: ['worker'] },
  { name: 'bigpipe_worker_cpu_seconds_total', help: 'CPU that a worker has used', type: 'counter', labels: ['worker'] },
  {
    name: 'bigpipe_worker_event_loop_busy_seconds_total',
    help: 'Time in which a worker’s event loop was at work: its rate is how full the worker is',
    type: 'counter',
    labels: ['worker'],
  },
];

export function registerWorkers(metrics: Metrics, count: number): void {
  metrics.register({
    shapes,
    read: (add, sections) => {
      const { serving, replaced, connections = 0, use = {} } = sections['workerStats'] as WorkerStats;
      add('bigpipe_workers', count, 'wanted');
      add('bigpipe_workers', serving, 'serving');
      add('bigpipe_worker_replacements_total', replaced);
      add('bigpipe_worker_connections', connections);
      for (const [worker, { residentBytes, cpuSeconds, busySeconds }] of Object.entries(use)) {
        add('bigpipe_worker_resident_memory_bytes', residentBytes, worker);
        add('bigpipe_worker_cpu_seconds_total', cpuSeconds, worker);
        add('bigpipe_worker_event_loop_busy_seconds_total', busySeconds, worker);
      }
    },
  });
}
