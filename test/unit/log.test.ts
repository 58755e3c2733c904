// What the log leaves out should it ever be handed to it.
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { censored, censoring } from '#src/censor.js';

test('secrets, credentials and bodies are not shown, whatever row they are put into', () => {
  const rows: string[] = [];
  const log = pino(censoring, { write: (row: string) => rows.push(row) });
  const hidden = {
    authorization: 'hunter1',
    cookie: 'hunter2',
    secret: 'hunter3',
    secrets: ['hunter4'],
    token: 'hunter5',
  };
  log.info({ msg: 'a row', ...hidden, password: 'hunter6' });
  log.info({ msg: 'in it', call: { ...hidden, body: 'hunter7' }, req: { headers: { authorization: 'hunter8' } } });
  log.info({ msg: 'deeper', req: { raw: hidden }, data: 'hunter9' });
  expect(rows).toHaveLength(3);
  expect(rows.join('')).not.toContain('hunter');
  expect(rows.join('')).toContain('"msg":"deeper"');
});

test('nor what an error bears', () => {
  const rows: string[] = [];
  const log = pino(censoring, { write: (row: string) => rows.push(row) });
  const error = Object.assign(new Error('it broke'), { body: 'hunter1', response: { headers: { cookie: 'hunter2' } } });
  log.error({ err: error });
  log.error(error, 'with a text');
  expect(rows).toHaveLength(2);
  for (const row of rows) expect(JSON.parse(row)).toMatchObject({ err: { type: 'Error', message: 'it broke' } });
  log.warn({ msg: 'in another place', cause: error });
  expect(rows.join('')).not.toContain('hunter');
});

test('a row that has nothing to hide is written as it is, and none is changed', () => {
  const row = { msg: 'x', at: new Date(0), list: [1, { a: 1 }], nothing: null };
  expect(censored(row)).toBe(row);
  const secretive = { call: [{ secret: 'hunter' }] };
  expect(censored(secretive)).toEqual({ call: [{ secret: '***' }] });
  expect(secretive).toEqual({ call: [{ secret: 'hunter' }] });
});
