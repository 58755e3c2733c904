// bigpipe explain: where a message is, and why it is not delivered yet.
import { Management, managementOptions } from './ask.js';
import type { Command } from './command.js';
import { plain } from './lines.js';

interface Explained {
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly state: string;
  readonly destination?: string;
  readonly attempt?: number;
  readonly maxAttempts?: number;
  readonly since?: string;
  readonly deadLetter?: { readonly offset: string; readonly history: Readonly<Record<string, string>> };
  readonly waitingFor: readonly { readonly reason: string; readonly detail: string }[];
  readonly estimate: string | null;
}

/** A search may read a good part of the log. */
const withinMs = 60_000;

export const explain: Command = {
  words: 'explain',
  places: ['ID'],
  about: 'where a message is in each subscription, and why it waits',
  options: { topic: { value: 'TOPIC', about: 'look only there' }, ...managementOptions },
  async run(given, around) {
    const query = { id: given.places['ID'] ?? '', topic: given.texts['topic'] };
    const answer = await new Management(given, around).ask({ path: '/explain', query, withinMs });
    if (around.isJson) {
      around.print(JSON.stringify(answer));
      return 0;
    }
    const { deliveries } = answer as { deliveries: Explained[] };
    if (deliveries.length === 0) around.print('it is in the log, and no subscription reads it');
    for (const delivery of deliveries) for (const line of linesOf(delivery)) around.print(line);
    return 0;
  },
};

function linesOf(one: Explained): string[] {
  const { groupId, topic, partition, offset, state, destination, attempt, maxAttempts, since, estimate } = one;
  const to = destination === undefined ? '' : ` to ${plain(destination)}`;
  const attempts = attempt === undefined ? '' : `, attempt ${attempt} of ${maxAttempts}`;
  const lines = [`${groupId}: ${state}${since === undefined ? '' : ` since ${since}`}`];
  lines.push(`  ${topic} partition ${partition} offset ${offset}${to}${attempts}`);
  for (const { reason, detail } of one.waitingFor) lines.push(`  ${reason}: ${plain(detail)}`);
  if (estimate !== null) lines.push(`  next attempt about ${estimate}`);
  for (const [name, text] of Object.entries(one.deadLetter?.history ?? {})) lines.push(`  ${name}: ${plain(text)}`);
  if (one.deadLetter !== undefined)
    lines.push(`  to see it: bigpipe dlq show ${topic} ${groupId} ${partition} ${one.deadLetter.offset}`);
  return lines;
}
