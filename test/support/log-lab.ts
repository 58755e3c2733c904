// A directory that one process fills, so that a test can damage it, and another one delivers.
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { BigpipeProcess, baseConfig, type Config, type Stats } from './bigpipe-process.js';
import { Ledger } from './ledger.js';
import { databaseOf } from './stored-log.js';
import { TargetServer } from './target-server.js';
import { until } from './until.js';

/** Ids of one length, so that none is the beginning of another's body. */
export const idOf = (i: number) => `message-${String(i).padStart(3, '0')}`;
export const bodyOf = (i: number, bytes = 100) => `${idOf(i)} `.padEnd(bytes, `.${i % 10}`);

export const idsBut = (count: number, ...left: number[]) =>
  Array.from({ length: count }, (_, i) => i)
    .filter((i) => !left.includes(i))
    .map(idOf);

export class LogLab {
  readonly ledger = new Ledger();
  private readonly homes: string[] = [];
  private readonly running: BigpipeProcess[] = [];

  private constructor(readonly target: TargetServer) {}

  static async open(): Promise<LogLab> {
    return new LogLab(await TargetServer.start());
  }

  async close(): Promise<void> {
    this.ledger.hangUp();
    for (const process of this.running) await process.dispose();
    for (const home of this.homes) await rm(home, { recursive: true, force: true });
    await this.target.close();
  }

  async newHome(copyOf?: string): Promise<string> {
    const home = await mkdtemp(join(tmpdir(), 'bigpipe-'));
    this.homes.push(home);
    if (copyOf !== undefined) await cp(join(copyOf, 'data'), join(home, 'data'), { recursive: true });
    return home;
  }

  /** Without groups the log only fills: nothing is delivered and no commit is written between the calls. */
  async start(home: string, how: 'fills' | 'delivers'): Promise<BigpipeProcess> {
    const process = await BigpipeProcess.start({ directory: home, config: configOf(home, how) });
    this.running.push(process);
    return process;
  }

  /** A start that may fail: not waited for. */
  async spawn(home: string): Promise<BigpipeProcess> {
    const process = await BigpipeProcess.spawn({ directory: home, config: configOf(home, 'delivers') });
    this.running.push(process);
    return process;
  }

  /** Throws unless it ends as the signal asks. */
  async end(process: BigpipeProcess, signal: NodeJS.Signals): Promise<void> {
    this.ledger.hangUp();
    const code = await process.end(signal);
    if (code !== (signal === 'SIGTERM' ? 0 : signal)) throw new Error(`ended with ${code} after ${signal}`);
  }

  call(process: BigpipeProcess, i: number, bytes?: number): Promise<boolean> {
    const fields = { url: this.target.url(), data: bodyOf(i, bytes), partition_key: `key ${i % 5}` };
    return this.ledger.call(process, idOf(i), fields);
  }

  /** A log of `count` messages, each in a chunk of its own, all in the database file. */
  async filled(count: number, by: 'SIGTERM' | 'SIGKILL', bytes?: number): Promise<string> {
    const home = await this.newHome();
    const process = await this.start(home, 'fills');
    for (let i = 0; i < count; i += 1) await this.call(process, i, bytes);
    await this.end(process, by);
    if (this.ledger.accepted.size !== count) throw new Error('not every call was accepted');
    // The last connection to close folds the write-ahead log in.
    const db = new Database(databaseOf(home));
    db.pragma('wal_checkpoint(TRUNCATE)');
    db.close();
    return home;
  }

  arrivedIds(): string[] {
    return [...this.target.countById().keys()].sort();
  }
}

function configOf(home: string, how: 'fills' | 'delivers'): Config {
  const config = baseConfig({ 'broker.embedded.directory': join(home, 'data') });
  if (how === 'fills') config['kafka.consumer.list'] = [];
  return config;
}

/** Everything there is has been read and settled. */
export async function settleAll(process: BigpipeProcess): Promise<void> {
  await until('everything is read and settled', async () => {
    const rows = (await (await fetch(`${process.management}/broker/lag`)).json()) as { lag: string }[];
    // Asked too often, it says so instead of answering.
    return Array.isArray(rows) && rows.every(({ lag }) => lag === '0');
  });
}

export async function checkLog(process: BigpipeProcess): Promise<{ ok: boolean; faults: string[] }> {
  return until('the check answers', async () => {
    const answer = await fetch(`${process.management}/broker/check`, { method: 'POST' });
    // Asked too often, the management port says so instead of answering.
    return answer.status === 429 ? null : ((await answer.json()) as { ok: boolean; faults: string[] });
  });
}

export async function brokerStats(process: BigpipeProcess): Promise<Record<string, number | string>> {
  return until('stats answer', async () => ((await process.stats()) as Stats | undefined)?.brokerStats);
}

export const logged = ({ log }: BigpipeProcess, part: string) =>
  log.filter(({ msg }) => typeof msg === 'string' && msg.includes(part)).map(({ msg }) => msg as string);

/** How often the text stands in the file. */
export const timesIn = (file: string, text: string) => readFileSync(file).toString('latin1').split(text).length - 1;

/** Where the text stands in the file; throws unless it stands there once. */
export function placeOf(file: string, text: string): number {
  const bytes = readFileSync(file);
  const at = bytes.indexOf(text);
  if (at < 0 || bytes.indexOf(text, at + 1) >= 0) throw new Error(`'${text}' does not stand there once`);
  return at;
}

export async function overwrite(file: string, at: number, length: number, change: (old: Buffer) => Buffer) {
  const handle = await open(file, 'r+');
  const old = Buffer.alloc(length);
  await handle.read(old, 0, length, at);
  await handle.write(change(Buffer.from(old)), 0, length, at);
  await handle.close();
}

export const flip = (file: string, at: number) =>
  overwrite(file, at, 1, (old) => Buffer.from([(old[0] as number) ^ 1]));
