// bigpipe bench: how many calls a second a bigpipe takes from here, and how long each waits for its answer.
import { exchange, urlOf } from './ask.js';
import { type Command, numberOf, type Surroundings, wholeOf } from './command.js';
import { barOf, tableOf } from './lines.js';
import { callerOf, senderOptions } from './send.js';

const mainUrl = 'http://127.0.0.1:10086';
const answerMs = 30_000;
const showMs = 200;
/** Of the times that are kept; past it each further one takes the place of a random one before. */
const maxTimes = 100_000;

interface Tally {
  accepted: number;
  refused: number;
  /** The first refusal. */
  why: string;
  readonly timesMs: number[];
}

export const bench: Command = {
  words: 'bench',
  places: [],
  about: 'send calls for a while; the time of this client is in the figures',
  options: {
    ...senderOptions,
    url: { value: 'URL', about: "where they are to be delivered; bigpipe's own mock unless told otherwise" },
    seconds: { value: 'N', about: 'how long; 5 unless told otherwise' },
    connections: { value: 'N', about: 'how many at a time; 16 unless told otherwise' },
    bytes: { value: 'N', about: 'of each body; 100 unless told otherwise' },
  },
  async run({ texts }, around) {
    const base = texts['to'] ?? mainUrl;
    const seconds = numberOf('--seconds', texts['seconds'], 0, 3600) ?? 5;
    const connections = wholeOf('--connections', texts['connections'], 1, 1000) ?? 16;
    const bytes = wholeOf('--bytes', texts['bytes'], 0, 1_000_000) ?? 100;
    const target = texts['url'] ?? urlOf('--to', '/rpc/server/mock', base).href;
    const body = JSON.stringify({ acl: callerOf(around), url: target, data: 'x'.repeat(bytes), partition_key: '' });
    const { clock, show, stop } = around;
    const tally: Tally = { accepted: 0, refused: 0, why: '', timesMs: [] };
    const beginMs = clock.elapsedMs();
    const endMs = beginMs + 1000 * seconds;
    let shownMs = beginMs;
    const url = urlOf('--to', '/rpc/call', base);
    const caller = async () => {
      for (let nowMs = clock.elapsedMs(); nowMs < endMs && !stop.aborted; nowMs = clock.elapsedMs()) {
        await callOnce(url, body, tally, around);
        if (nowMs - shownMs < showMs) continue;
        shownMs = nowMs;
        show(barOf(nowMs - beginMs, endMs - beginMs, `${tally.accepted} accepted, ${tally.refused} refused`));
      }
    };
    await Promise.all(Array.from({ length: connections }, caller));
    const figures = figuresOf(tally, (clock.elapsedMs() - beginMs) / 1000);
    if (around.isJson) around.print(JSON.stringify(figures));
    else for (const line of tableOf(['FIGURE', 'VALUE'], Object.entries(figures))) around.print(line);
    return tally.refused === 0 && tally.accepted > 0 ? 0 : 1;
  },
};

async function callOnce(url: URL, body: string, tally: Tally, around: Surroundings): Promise<void> {
  const sentMs = around.clock.elapsedMs();
  const answer = await exchange(url, { method: 'POST', body }, answerMs, around).catch((error: unknown) => {
    if (around.stop.aborted) return null;
    throw error;
  });
  if (answer === null) return;
  const timeMs = around.clock.elapsedMs() - sentMs;
  const { errno, msg } = JSON.parse(answer.text) as { errno?: number; msg?: string };
  if (errno === 0) tally.accepted += 1;
  else {
    tally.refused += 1;
    tally.why ||= `${answer.status} ${msg ?? answer.text.slice(0, 100)}`;
  }
  const { timesMs } = tally;
  if (timesMs.length < maxTimes) timesMs.push(timeMs);
  else timesMs[Math.floor(Math.random() * maxTimes)] = timeMs;
}

function figuresOf({ accepted, refused, why, timesMs }: Tally, tookS: number): Record<string, string | number> {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const at = (share: number) =>
    Number((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(2));
  return {
    accepted,
    'accepted a second': Number((accepted / tookS).toFixed(1)),
    refused,
    ...(why === '' ? {} : { 'first refusal': why }),
    'answer p50, ms': at(0.5),
    'answer p99, ms': at(0.99),
    'answer max, ms': Number((sorted.at(-1) ?? 0).toFixed(2)),
  };
}
