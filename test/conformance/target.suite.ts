// Every promise of target.ts as a test, against receivers that are well, busy, refusing, silent, broken, or not there.
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ConfigWatch } from '#src/config-watch/config-watch.js';
import type { EgressSettings } from '#src/config-watch/settings.js';
import { type Clock, SystemClock } from '#src/message/clock.js';
import type { Delivery } from '#src/message/delivery.js';
import type { Outcome } from '#src/message/outcome.js';
import type { Target } from '#src/target/target.js';
import { bodied, deliveryTo } from '../support/deliveries.js';
import { DnsServer } from '../support/dns-server.js';
import { until } from '../support/until.js';

/** What a receiver does with a request. */
export type Habit = 'takes' | 'echoes' | 'busy' | 'fails' | 'refuses' | 'silent';

export interface TargetReceiver {
  readonly port: number;
  habit: Habit;
  readonly arrivals: readonly { readonly body: Buffer; header(name: string): string | undefined }[];
  close(): Promise<void>;
}

export interface TargetHarness {
  readonly make: (clock: Clock, configWatch: ConfigWatch) => Target;
  readonly receiver: () => Promise<TargetReceiver>;
  readonly urlOf: (host: string, port: number) => string;
  /** For which a busy receiver asks to be left alone. */
  readonly busyMs: number;
}

const egress: EgressSettings = {
  allow: ['127.0.0.1'],
  ports: null,
  schemes: ['http', 'https', 'grpc', 'grpcs'],
  dnsServers: null,
  tls: { certFile: null, keyFile: null, caFile: null, origins: null },
};
const patience = 20_000;

export function targetSuite(name: string, { make, receiver: start, urlOf, busyMs }: TargetHarness): void {
  describe(`${name} target`, () => {
    let settings: { egress: EgressSettings; reply: { maxBytes: number } };
    let target: Target;
    let receiver: TargetReceiver;
    let raw: Server | null;
    let abort: AbortController;

    beforeEach(async () => {
      settings = { egress, reply: { maxBytes: 1000 } };
      const configWatch = {
        get settings() {
          return settings;
        },
      } as unknown as ConfigWatch;
      target = make(new SystemClock(), configWatch);
      receiver = await start();
      raw = null;
      abort = new AbortController();
    });

    afterEach(async () => {
      abort.abort();
      await target.close();
      await receiver.close();
      raw?.close();
    });

    const send = (
      changes: Partial<Delivery> = {},
      { url = urlOf('127.0.0.1', receiver.port), timeoutMs = patience } = {},
    ) => target.send(deliveryTo(url, timeoutMs, changes), abort.signal);

    /** A port at which connections meet `behaviour`, and no protocol. */
    async function rawPort(behaviour: (socket: Socket) => void): Promise<number> {
      const server = createServer((socket) => {
        socket.on('error', () => undefined);
        behaviour(socket);
      });
      raw = server;
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return (server.address() as AddressInfo).port;
    }

    test('the receiver gets the body as it is, and what there is to know of the attempt', async () => {
      const body = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i % 256));
      const outcome = await send({ id: 'msg_1', attempt: 3, redelivery: 'timeout', ...bodied(body) });
      expect(outcome).toMatchObject({ kind: 'delivered', status: 200, body: '' });
      const [arrival] = receiver.arrivals;
      expect(arrival?.body.equals(body)).toBe(true);
      const told = ['bigpipe-message-id', 'bigpipe-attempt', 'bigpipe-redelivery', 'x-own', 'idempotency-key'];
      expect(told.map((header) => arrival?.header(header))).toEqual(['msg_1', '3', 'timeout', 'v', '"msg_1"']);
    });

    test('many at the same time are all delivered, also over connections that were used before', async () => {
      for (let round = 0; round < 3; round += 1) {
        const outcomes = await Promise.all(Array.from({ length: 50 }, () => send()));
        expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['delivered']));
      }
      expect(receiver.arrivals.length).toBe(150);
    });

    test('busy, failing and refusing receivers are told apart', async () => {
      receiver.habit = 'busy';
      expect(await send()).toMatchObject({ kind: 'retry', reason: 'status', retryAfterMs: busyMs });
      receiver.habit = 'fails';
      const failed = await send();
      expect(failed).toMatchObject({ kind: 'retry', reason: 'status', status: 500, retryAfterMs: null });
      expect((failed as Extract<Outcome, { kind: 'retry' }>).body).toContain('broken');
      receiver.habit = 'refuses';
      expect(await send()).toMatchObject({ kind: 'rejected', status: 400, body: expect.stringContaining('no') });
    });

    test('whoever waits gets the whole answer, or none that is too long', async () => {
      receiver.habit = 'echoes';
      const replyTo = 'somebody';
      const told = await send({ replyTo, ...bodied(Buffer.from('hello')) });
      expect(told).toMatchObject({ kind: 'delivered', whole: { status: 200, body: Buffer.from('hello') } });
      expect(await send({ replyTo, ...bodied(Buffer.alloc(1001)) })).toMatchObject({ kind: 'delivered', whole: null });
      expect(await send()).not.toHaveProperty('whole');
    });

    test('a silent receiver is waited for as long as the delivery says, whatever it is silent about', async () => {
      receiver.habit = 'silent';
      expect(await send({}, { timeoutMs: 300 })).toMatchObject({ kind: 'retry', reason: 'timeout' });
      const port = await rawPort(() => undefined);
      expect(await send({}, { timeoutMs: 300, url: urlOf('127.0.0.1', port) })).toMatchObject({ reason: 'timeout' });
      receiver.habit = 'takes';
      expect(await send()).toMatchObject({ kind: 'delivered' });
    });

    test('nobody there, hung up, and nonsense are broken connections', async () => {
      const gone = await rawPort(() => undefined);
      await new Promise((resolve) => raw?.close(resolve));
      const hangsUp = await rawPort((socket) => socket.destroy());
      for (const port of [gone, hangsUp]) {
        const outcome = await send({}, { url: urlOf('127.0.0.1', port) });
        expect(outcome).toMatchObject({ kind: 'retry', reason: 'connection', status: 0 });
      }
      raw?.close();
      const nonsense = await rawPort((socket) => socket.end('\x00\xff nonsense \r\n\r\n'));
      const outcome = await send({}, { url: urlOf('127.0.0.1', nonsense) });
      expect(outcome).toMatchObject({ kind: 'retry', reason: 'connection', status: 0 });
    });

    test('an abort ends an attempt at once, and none begins after it', async () => {
      receiver.habit = 'silent';
      const sending = [send(), send()];
      await until('they have arrived', () => receiver.arrivals.length === 2);
      abort.abort();
      expect(await Promise.all(sending)).toEqual([{ kind: 'aborted' }, { kind: 'aborted' }]);
      expect(await send()).toEqual({ kind: 'aborted' });
      expect(receiver.arrivals.length).toBe(2);
    });

    test('where calls may not go nothing is sent, by address and by name, and a change of that holds at once', async () => {
      expect(await send()).toMatchObject({ kind: 'delivered' });
      const dns = await DnsServer.start((asked) => (asked.startsWith('inside') ? ['127.0.0.1'] : []));
      const refused = { kind: 'rejected', status: 0, detail: expect.stringContaining('the egress guard refuses') };
      settings = { ...settings, egress: { ...egress, allow: [], dnsServers: [dns.address] } };
      expect(await send()).toMatchObject(refused);
      expect(await send({}, { url: urlOf('inside.test', receiver.port) })).toMatchObject(refused);
      expect(dns.asked).toContain('inside.test');
      expect(receiver.arrivals.length).toBe(1);
      settings = { ...settings, egress: { ...settings.egress, allow: ['127.0.0.1'] } };
      expect(await send({}, { url: urlOf('inside.test', receiver.port) })).toMatchObject({ kind: 'delivered' });
      await dns.close();
    });
  });
}
