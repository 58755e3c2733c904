// bigpipe is killed while its producer is being asked, between asking and writing the answer: it is asked again, and one answer decides.
import { expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { TargetServer } from '../support/target-server.js';
import { begun, bodiesAt, checksAt, transactionConfig, untilState } from '../support/transactions.js';
import { until } from '../support/until.js';

test('a checker killed between asking and writing: the same question again, and one answer decides', async () => {
  let isDead = false;
  const target = await TargetServer.start(({ path }, response) => {
    if (path !== '/check') response.end();
    // The first time nobody is there any more to hear it.
    else if (isDead) response.end('{"state":"commit"}');
  });
  let bigpipe = await BigpipeProcess.start({
    config: baseConfig({ 'kafka.consumer.list': [baseConsumer()], ...transactionConfig() }),
  });
  try {
    const id = await begun(bigpipe, {
      messages: [{ url: target.url('/in'), data: 'paid' }],
      checkUrl: target.url('/check'),
      firstCheckAfter: '0s',
    });
    await until('it is asked', () => checksAt(target).length === 1);
    isDead = true;
    await bigpipe.end('SIGKILL');
    bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
    expect(await untilState(bigpipe, id, 'committed')).toMatchObject({ decidedBy: 'check' });
    await until('it arrives', () => bodiesAt(target, '/in').length > 0);
    // The same question, said to be a repeat.
    const [first, second] = checksAt(target).map(({ headers }) => headers);
    expect(second?.['bigpipe-message-id']).toBe(first?.['bigpipe-message-id']);
    expect(second?.['bigpipe-redelivery']).toBe('crash');
    expect([checksAt(target).length, bodiesAt(target, '/in')]).toEqual([2, ['paid']]);
  } finally {
    await bigpipe.dispose();
    await target.close();
  }
});
