// The one thing that somebody who was just woken wants to know: is anything wrong, and what; pure.
import type { Sample } from './answers.js';
import { count, many, moment, rate } from './format.js';
import { waiting } from './reasons.js';

export type Level = 'bad' | 'warn' | 'info' | 'well';

export interface Finding {
  readonly level: Level;
  readonly text: string;
  /** Where to look. */
  readonly to: string;
}

/** Of one minute; less is noise. */
const fallsBehind = { atLeast: 1000, growth: 1.2 };

/** `before`: how many waited a minute ago, null when that is not known. The worst first; never empty. */
export function findings(sample: Sample, before: number | null): readonly Finding[] {
  const found = [
    ...ofBroker(sample),
    ...ofCircuits(sample),
    ...ofPace(sample, before),
    ...ofDeadLetters(sample),
    ...ofOrders(sample),
    ...ofConfig(sample),
  ];
  const order: readonly Level[] = ['bad', 'warn', 'info', 'well'];
  found.sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
  return found.some(({ level }) => level !== 'info')
    ? found
    : [{ level: 'well', text: wellText(sample), to: '#/' }, ...found];
}

function wellText({ total }: Sample): string {
  const left = waiting(total.backlog);
  if (left === 0 && total.arrivedPerSecond === 0) return 'All is well. Nothing waits.';
  return `All is well. ${rate(total.deliveredPerSecond)} delivered a second, ${many(left, 'message is', 'messages are')} on the way.`;
}

function ofBroker({ broker: { ok, detail } }: Sample): Finding[] {
  if (!ok) return [{ level: 'bad', text: `The log does not work: ${detail}`, to: '#/settings' }];
  if (detail.startsWith('full')) return [{ level: 'bad', text: `The log is ${detail}`, to: '#/settings' }];
  return detail.includes('damaged') ? [{ level: 'warn', text: `The log is ${detail}`, to: '#/settings' }] : [];
}

function ofCircuits({ subscriptions, total }: Sample): Finding[] {
  const sum = (of: 'open' | 'recovering') => subscriptions.reduce((all, { destinations }) => all + destinations[of], 0);
  const [open, recovering] = [sum('open'), sum('recovering')];
  const held = (total.backlog['circuit'] ?? 0) + (total.backlog['overflow'] ?? 0);
  const found: Finding[] = [];
  if (open > 0) {
    const rest = held > 0 ? `, ${many(held, 'message waits', 'messages wait')}` : '';
    found.push({
      level: 'bad',
      text: `${many(open, 'destination does', 'destinations do')} not answer: circuit open${rest}`,
      to: '#/destinations',
    });
  }
  if (recovering > 0)
    found.push({
      level: 'warn',
      text: `${many(recovering, 'destination is', 'destinations are')} recovering`,
      to: '#/destinations',
    });
  return found;
}

function ofPace({ total }: Sample, before: number | null): Finding[] {
  const now = waiting(total.backlog) - (total.backlog['delayed'] ?? 0);
  if (before === null || now < fallsBehind.atLeast || now < before * fallsBehind.growth) return [];
  return [
    {
      level: 'warn',
      text: `Deliveries fall behind: ${count(now)} wait, ${count(now - before)} more than a minute ago`,
      to: '#/subscriptions',
    },
  ];
}

function ofDeadLetters({ total }: Sample): Finding[] {
  if (total.deadLetters === 0) return [];
  return [{ level: 'warn', text: many(total.deadLetters, 'dead letter', 'dead letters'), to: '#/dead-letters' }];
}

function ofOrders({ subscriptions, at }: Sample): Finding[] {
  return subscriptions.flatMap(({ topic, groupId, paused, redrive }) => {
    const name = `${topic} / ${groupId}`;
    const found = paused.map(
      ({ destination, since }): Finding => ({
        level: 'warn',
        text: `${destination === null ? name : `${destination} of ${name}`} is paused since ${moment(since, at)}`,
        to: destination === null ? '#/subscriptions' : '#/destinations',
      }),
    );
    if (redrive?.isUnderWay === true) {
      const ended = redrive.delivered + redrive.failed;
      const text = `Redrive of ${name}: ${count(ended)} of ${count(redrive.total)}`;
      found.push({
        level: 'info',
        text,
        to: `#/dead-letters/${encodeURIComponent(topic)}/${encodeURIComponent(groupId)}`,
      });
    }
    return found;
  });
}

function ofConfig({ config, at }: Sample): Finding[] {
  const { lastError, pendingRestart } = config;
  if (lastError !== null)
    return [
      {
        level: 'warn',
        text: `The configuration is not in force as it stands since ${moment(lastError.since, at)}`,
        to: '#/settings',
      },
    ];
  if (pendingRestart === 0) return [];
  return [
    {
      level: 'info',
      text: `${many(pendingRestart, 'setting waits', 'settings wait')} for a restart`,
      to: '#/settings',
    },
  ];
}
