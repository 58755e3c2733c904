// Fetches a group's messages and acks them, as fast as it gets them: over HTTP, or as a subscriber over gRPC.
import { type ClientDuplexStream, credentials, loadPackageDefinition, Metadata } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Pool } from 'undici';
import { callAcl } from '../support/call-body.ts';
import { nowMs } from '../support/latency.ts';
import type { Fetched, PullerCommands } from '../support/protocol.ts';
import { serveCommands } from '../support/serve-commands.ts';

const authorization = `Basic ${Buffer.from(`${callAcl.name}:${callAcl.secret}`).toString('base64')}`;
/** A subscriber tells what it has done in one request for so many. */
const acksAtOnce = 50;

interface Delivered {
  readonly delivery: { readonly lease: string };
}
type Subscription = ClientDuplexStream<unknown, Delivered>;

async function pull({ port, group, loops, max, durationMs }: PullerCommands['pull']['request']): Promise<Fetched> {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: loops, pipelining: 1 });
  const post = async (verb: string, body: object) => {
    const path = `/v1/subscriptions/${group}/${verb}`;
    const headers = { authorization, 'content-type': 'application/json' };
    const answer = await pool.request({ method: 'POST', path, headers, body: JSON.stringify(body) });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`${verb} was answered ${answer.statusCode}: ${text}`);
    return JSON.parse(text) as { messages: { lease: string; data_base64: string }[] };
  };
  const startedMs = nowMs();
  let acked = 0;
  let lastMs = startedMs;
  const loop = async () => {
    while (nowMs() - startedMs < durationMs) {
      const { messages } = await post('pull', { max, waitSeconds: 0 });
      if (messages.length === 0) continue;
      for (const { data_base64: data } of messages) Buffer.from(data, 'base64');
      await post('ack', { leases: messages.map(({ lease }) => lease) });
      acked += messages.length;
      lastMs = nowMs();
    }
  };
  await Promise.all(Array.from({ length: loops }, loop));
  await pool.close();
  return { acked, elapsedMs: lastMs - startedMs };
}

async function subscribe({
  port,
  group,
  credits,
  durationMs,
}: PullerCommands['subscribe']['request']): Promise<Fetched> {
  const directory = new URL('../../proto', import.meta.url).pathname;
  const definition = loadSync('bigpipe/v1/bigpipe.proto', { keepCase: true, includeDirs: [directory] });
  const { bigpipe } = loadPackageDefinition(definition) as unknown as {
    bigpipe: {
      v1: {
        Bigpipe: new (address: string, creds: object) => { Subscribe(metadata: Metadata): Subscription; close(): void };
      };
    };
  };
  const client = new bigpipe.v1.Bigpipe(`127.0.0.1:${port}`, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('authorization', authorization);
  const call = client.Subscribe(metadata);
  const startedMs = nowMs();
  let acked = 0;
  let lastMs = startedMs;
  let leases: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, durationMs);
    const tell = () => {
      if (leases.length === 0) return;
      call.write({ acks: leases, credits: leases.length });
      acked += leases.length;
      leases = [];
      lastMs = nowMs();
    };
    call.on('data', ({ delivery }) => {
      leases.push(delivery.lease);
      if (leases.length === 1) setImmediate(tell);
      if (leases.length >= acksAtOnce) tell();
    });
    call.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    call.write({ start: { group }, credits });
  });
  call.on('error', () => undefined);
  call.cancel();
  client.close();
  return { acked, elapsedMs: lastMs - startedMs };
}

serveCommands<PullerCommands>({ pull, subscribe });
