// /dlq as a test may ask for it as often as it likes; the shapes written anew.
import type { BigpipeProcess } from './bigpipe-process.js';
import { until } from './until.js';

export interface ParkedKey {
  readonly partition: number;
  readonly destination: string | null;
  readonly key: string | null;
  readonly since: string;
}

export interface KeptLetters {
  readonly topic: string;
  readonly groupId: string;
  readonly deadLetterTopic: string;
  readonly open: number;
  readonly partitions: readonly { readonly partition: number; readonly open: number; readonly end: string }[];
  readonly parkedKeys: readonly ParkedKey[];
}

export interface Letter {
  readonly partition: number;
  readonly offset: string;
  readonly id: string;
  readonly url: string;
  readonly key: string | null;
  readonly bodyBase64: string;
  readonly history: Record<string, string>;
}

export interface RedriveReport {
  readonly state: 'running' | 'done' | 'stopped' | 'aborted' | 'failed';
  readonly reason: string;
  readonly total: number;
  readonly sent: number;
  readonly delivered: number;
  readonly failed: number;
  readonly held: number;
}

export const lettersPlace = '/dlq/test/G1';

export interface Answered {
  readonly status: number;
  readonly answer: unknown;
}

/** On the management listener; asked again when bigpipe says that it was asked too often. */
export function askManagement(bigpipe: BigpipeProcess, method: string, path: string, body?: object): Promise<Answered> {
  const init: RequestInit = { method };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { 'content-type': 'application/json' };
  }
  return until('it may be asked', async () => {
    const got = await fetch(`${bigpipe.management}${path}`, init);
    const answer: unknown = await got.json();
    return got.status === 429 ? null : { status: got.status, answer };
  });
}

/** What the overview says of the only subscription that keeps dead letters. */
export async function keptLetters(bigpipe: BigpipeProcess): Promise<KeptLetters> {
  const [only] = (await askManagement(bigpipe, 'GET', '/dlq')).answer as KeptLetters[];
  if (only === undefined) throw new Error('no subscription keeps dead letters');
  return only;
}

export async function readLetters(bigpipe: BigpipeProcess, query = ''): Promise<Letter[]> {
  const { answer } = await askManagement(bigpipe, 'GET', `${lettersPlace}${query}`);
  return (answer as { letters: Letter[] }).letters;
}

/** Of the redrive under way, or the last one since the start. */
export async function redriveReport(bigpipe: BigpipeProcess): Promise<RedriveReport> {
  return (await askManagement(bigpipe, 'GET', `${lettersPlace}/redrive`)).answer as RedriveReport;
}

/** Starts one as soon as the one before has ended. */
export async function startRedrive(bigpipe: BigpipeProcess, order: object): Promise<void> {
  await until('a redrive may begin', async () => {
    const { status, answer } = await askManagement(bigpipe, 'POST', `${lettersPlace}/redrive`, order);
    if (status !== 202 && status !== 409) throw new Error(`redrive answered ${status} ${JSON.stringify(answer)}`);
    return status === 202;
  });
}

/** The report once it is no longer running. */
export function untilRedriven(bigpipe: BigpipeProcess, boundMs = 30_000): Promise<RedriveReport> {
  return until(
    'the redrive has ended',
    async () => {
      const now = await redriveReport(bigpipe);
      return now.state === 'running' ? null : now;
    },
    boundMs,
  );
}
