// Requests made from /openapi.json, right ones and bent ones: no answer is a 5xx, and none is other than documented.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { basic } from '../support/credentials.js';
import { fitting } from '../support/json-schema.js';
import { type Given, OpenApi, type Operation } from '../support/openapi.js';

/** FUZZ=2000 for the whole of it; SEED for another one. */
const cases = Number(process.env['FUZZ'] ?? 2000);
const seed = Number(process.env['SEED'] ?? 20_261_121);

let bigpipe: BigpipeProcess;
let api: OpenApi;

beforeAll(async () => {
  // Nobody delivers: the URLs are anybody's. What is fetched comes back soon.
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'kafka.producer.acl': [{ name: 'system-1', secret: 'i am good', topic: 'test', pull: ['G1'] }],
      'kafka.consumer.list': [baseConsumer({ delivery: 'pull' })],
      'commit.open.topics': ['test'],
      'reply.max.wait': 100,
      'pull.max.wait': 100,
      'transaction.enabled': true,
    }),
  });
  api = await OpenApi.of(bigpipe.origin);
  const parameters = { 'bigpipe-topic': 'test', 'bigpipe-message-id': 'there' };
  const taken = await api.call('sendMessage', { parameters, authorization: good });
  if (taken.status !== 202) throw new Error(`the first message was answered ${taken.status}`);
});

afterAll(() => bigpipe.dispose());

const good = basic('system-1', 'i am good');

/** What no header can carry, the client would refuse by itself. */
const isSendable = (value: string) => /^[\t\x20-\x7e\x80-\xff]*$/.test(value);

const texts = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '',
    '0',
    '-1',
    '1e9',
    'null',
    '../..',
    '%00',
    'a'.repeat(5000),
    '"',
    '\\',
    '2030-02-30T00:00:00Z',
    'PT',
    '90s',
  ),
);

/** What is there, of what no document can say. */
const known: Readonly<Record<string, fc.Arbitrary<string>>> = {
  topic: fc.constant('test'),
  'bigpipe-topic': fc.constant('test'),
  id: fc.constantFrom('there', 'not-there'),
  group: fc.constantFrom('G1', 'G1', 'G2'),
};

/** A header or a query value: as documented, or anything. */
function parametersOf({ parameters = [] }: Operation): fc.Arbitrary<Record<string, string>> {
  const record = Object.fromEntries(
    parameters.map(({ name, schema }) => [
      name,
      fc.oneof(
        { weight: 4, arbitrary: known[name] ?? fitting(schema, api.resolve).map(String) },
        { weight: 1, arbitrary: texts },
      ),
    ]),
  );
  // Few at a time: with all of them something is always wrong.
  return fc
    .record(record, { requiredKeys: parameters.filter(({ required }) => required === true).map(({ name }) => name) })
    .chain((all) => {
      const names = Object.keys(all);
      const needed = parameters.filter(({ required }) => required === true).map(({ name }) => name);
      return fc.subarray(names, { maxLength: Math.min(names.length, 4) }).map((chosen) => {
        const kept = new Set([...needed, ...chosen]);
        return Object.fromEntries(Object.entries(all).filter(([name]) => kept.has(name))) as Record<string, string>;
      });
    })
    .map((chosen) =>
      Object.fromEntries(
        Object.entries(chosen).filter(
          ([name, value]) => parameters.find((one) => one.name === name)?.in !== 'header' || isSendable(value),
        ),
      ),
    );
}

/** Something of a JSON value is replaced, taken away or added. */
const bent = (value: unknown): fc.Arbitrary<string> =>
  fc.oneof(
    fc.jsonValue({ maxDepth: 2 }).chain((other) => {
      if (typeof value !== 'object' || value === null || Object.keys(value).length === 0)
        return fc.constant(JSON.stringify(other));
      return fc
        .constantFrom(...Object.keys(value))
        .chain((name) =>
          fc.constantFrom(
            { ...value, [name]: other },
            { ...value, [`${name}x`]: other },
            { ...value, [name]: undefined },
          ),
        )
        .map((changed) => JSON.stringify(changed));
    }),
    fc.nat({ max: 200 }).map((length) => JSON.stringify(value).slice(0, length)),
  );

function bodyOf(operation: Operation): fc.Arbitrary<Pick<Given, 'type' | 'body'>> {
  const { requestBody } = operation;
  if (requestBody === undefined) return fc.constant({});
  const types = Object.keys(requestBody.content);
  const ofType = (type: string): fc.Arbitrary<Pick<Given, 'type' | 'body'>> => {
    const schema = requestBody.content[type]?.schema ?? {};
    if (type === 'application/octet-stream') return fc.uint8Array({ maxLength: 200 }).map((body) => ({ type, body }));
    const isLines = type.endsWith('ndjson');
    const one = fitting(isLines ? { $ref: '#/components/schemas/Message' } : schema, api.resolve);
    const text = fc.oneof(
      { weight: 2, arbitrary: one.map((value) => JSON.stringify(value)) },
      { weight: 1, arbitrary: one.chain(bent) },
    );
    const body = isLines ? fc.array(text, { maxLength: 4 }).map((lines) => lines.join('\n')) : text;
    return body.map((written) => ({ type, body: written }));
  };
  return fc.oneof(...types.map((type) => ({ weight: 4, arbitrary: ofType(type) })), {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constantFrom('text/plain', 'application/json', 'x', 'application/cloudevents-batch+json'),
      body: texts,
    }),
  });
}

const authorizations = fc.oneof(
  { weight: 12, arbitrary: fc.constant(good) },
  { weight: 1, arbitrary: fc.constantFrom(undefined, 'Basic', 'Basic eA==', 'Bearer x', 'Digest x', basic('', '')) },
);

const isGood = (authorization: string | undefined) => authorization === good;

test('every answer is documented, and none is a 5xx', async () => {
  const statuses = new Map<string, number>();
  const given = (operation: Operation): fc.Arbitrary<Given> =>
    fc.tuple(parametersOf(operation), bodyOf(operation), authorizations).map(([parameters, body, authorization]) => ({
      parameters,
      ...body,
      ...(authorization === undefined ? {} : { authorization }),
    }));
  const requests = fc.oneof(
    ...api.operations.map((operation) => given(operation).map((one) => ({ id: operation.operationId, given: one }))),
  );
  await fc.assert(
    fc.asyncProperty(requests, async ({ id, given: one }) => {
      const answer = await api.call(id, one);
      statuses.set(`${id} ${answer.status}`, (statuses.get(`${id} ${answer.status}`) ?? 0) + 1);
      expect(answer.status).toBeLessThan(500);
      expect(api.undocumented(id, answer)).toEqual([]);
      if (!isGood(one.authorization) && api.operation(id).security?.length === 2) expect(answer.status).not.toBe(202);
    }),
    { numRuns: cases, seed },
  );
  // The cases reach past the first check: each door has taken some.
  for (const taken of [
    'sendMessage 202',
    'sendMessages 200',
    'commit 200',
    'rpcCall 200',
    'beginTransaction 400',
    'commitTransaction 404',
    'getMessage 200',
    'getMessage 404',
    'pull 200',
    'ack 409',
  ])
    expect([taken, (statuses.get(taken) ?? 0) > 0]).toEqual([taken, true]);
}, 600_000);
