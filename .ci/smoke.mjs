// Waits for the program to run, sends README's call, sees it delivered, and tells it to drain.
import { readFileSync } from 'node:fs';

const [log, pid] = [process.argv[2], Number(process.argv[3])];
const boundMs = 120_000;

async function until(what, condition) {
  const end = Date.now() + boundMs;
  while (Date.now() < end) {
    const result = await condition();
    if (result) return result;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`smoke: waited in vain until ${what}:\n${readFileSync(log, 'utf8')}`);
}

const running = await until('bigpipe runs', () =>
  readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line.includes('bigpipe is running'))
    .map((line) => JSON.parse(line))
    .at(0),
);
const origin = `http://127.0.0.1:${running.port}`;
const call = {
  acl: { name: 'system-1', secret: 'i am good' },
  url: `${origin}/rpc/server/mock`,
  data: 'hello123123123',
  partition_key: '暂时用不到',
};
const answer = await (await fetch(`${origin}/rpc/call`, { method: 'POST', body: JSON.stringify(call) })).json();
if (answer.errno !== 0) throw new Error(`smoke: ${JSON.stringify(answer)}`);
await until('the call is delivered to both groups', async () => {
  const { data } = await (await fetch(`${origin}/stats`)).json();
  return data.clientStats.test.rpcSuccess === 2;
});
process.kill(pid, 'SIGTERM');
process.stdout.write('smoke: started, stored, delivered, told to drain\n');
