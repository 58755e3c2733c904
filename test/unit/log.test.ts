// What the log leaves out should it ever be handed to it.
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { redaction } from '#src/log.js';

test('secrets, credentials and bodies are not shown, whatever row they are put into', () => {
  const rows: string[] = [];
  const log = pino({ redact: redaction }, { write: (row: string) => rows.push(row) });
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
