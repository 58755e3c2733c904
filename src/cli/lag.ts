// bigpipe lag: how far each subscription is behind.
import { Management, managementOptions } from './ask.js';
import type { Command } from './command.js';
import { tableOf } from './lines.js';

interface LagRow {
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
  readonly committed: string | null;
  readonly highWatermark: string;
  readonly lag: string;
}

export const lag: Command = {
  words: 'lag',
  places: [],
  about: 'how far each subscription is behind, partition by partition',
  options: managementOptions,
  async run(given, around) {
    const rows = (await new Management(given, around).ask({ path: '/broker/lag' })) as LagRow[];
    if (around.isJson) {
      around.print(JSON.stringify(rows));
      return 0;
    }
    const header = ['GROUP', 'TOPIC', 'PARTITION', 'COMMITTED', 'END', 'LAG'];
    const cells = rows.map((row) => [
      row.groupId,
      row.topic,
      row.partition,
      row.committed ?? '-',
      row.highWatermark,
      row.lag,
    ]);
    for (const line of tableOf(header, cells)) around.print(line);
    return 0;
  },
};
