// The demo's own client: a calculation every 50 ms, every fifth with a method that there is not. `node client.ts [ADDRESS] [CALLS]`
import { credentials, type ServiceError } from '@grpc/grpc-js';
import { CalculateClient, type CalculateResponse } from './calculate.ts';

const [address = '127.0.0.1:10000', calls = '100'] = process.argv.slice(2);
const everyMs = 50;
const deadlineMs = 60_000;
const methods = ['+', '-', '*', '/'];
const wrong = ['&&&', '--', '++', '**', '//', '^^^'];

const client = new CalculateClient(address, credentials.createInsecure());
const pick = <T>(list: readonly T[]) => list[Math.floor(Math.random() * list.length)] as T;
const number = () => Math.floor(Math.random() * 20);

function calculate(): Promise<string> {
  const request = {
    name: 'client',
    method: pick(Math.random() < 0.2 ? wrong : methods),
    num1: number(),
    num2: number(),
  };
  const asked = `${request.num1} ${request.method} ${request.num2}`;
  return new Promise((resolve) => {
    client['Calculate']?.(
      request,
      { deadline: Date.now() + deadlineMs },
      (error: ServiceError | null, answer: CalculateResponse) => {
        if (error !== null) resolve(`${asked}: ${error.message}`);
        else resolve(answer.successFlag ? `${asked} = ${answer.result}` : `${asked}: ${answer.message}`);
      },
    );
  });
}

const answers: Promise<string>[] = [];
for (let i = 0; i < Number(calls); i += 1) {
  answers.push(calculate());
  await new Promise((resolve) => setTimeout(resolve, everyMs));
}
for (const answer of await Promise.all(answers)) process.stdout.write(`${answer}\n`);
client.close();
