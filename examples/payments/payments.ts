// A service with a database of its own: takes a payment, and tells the membership service of it, both or neither.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { parseArgs } from 'node:util';
import Sqlite from 'better-sqlite3';

/** Where it may be told to die (`x-crash-at`), in the order in which a payment comes by. */
const steps = ['before begin', 'begun', 'updated', 'stored', 'committed'] as const;
type Step = (typeof steps)[number];

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '10001' },
    database: { type: 'string', default: 'payments.db' },
    bus: { type: 'string', default: 'http://127.0.0.1:10086' },
    membership: { type: 'string', default: 'http://127.0.0.1:10002/members' },
  },
});
const { port, bus, membership } = values;
const database = new Sqlite(values.database);
database.exec(`
  PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS accounts (user TEXT PRIMARY KEY, balance INTEGER NOT NULL);
  -- What became of each of our transactions on the bus: whoever writes its row first decides.
  CREATE TABLE IF NOT EXISTS outcomes (id TEXT PRIMARY KEY, state TEXT NOT NULL);
`);

const decide = database.prepare('INSERT INTO outcomes (id, state) VALUES (?, ?)');
const decideOnce = database.prepare('INSERT OR IGNORE INTO outcomes (id, state) VALUES (?, ?)');
const outcomeOf = database.prepare('SELECT state FROM outcomes WHERE id = ?').pluck();
const account = database.prepare('SELECT balance FROM accounts WHERE user = ?').pluck();
const credit = database.prepare(
  'INSERT INTO accounts (user, balance) VALUES (?, ?) ON CONFLICT (user) DO UPDATE SET balance = balance + excluded.balance',
);

const authorization = `Basic ${Buffer.from('payments:only for this example').toString('base64')}`;

async function toBus(path: string, body?: object): Promise<Record<string, unknown>> {
  const init = { method: 'POST', headers: { authorization, 'content-type': 'application/json' } };
  const answer = await fetch(`${bus}/v1/transactions${path}`, {
    ...init,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const told = (await answer.json()) as Record<string, unknown>;
  if (!answer.ok) throw new Error(`the bus answered ${answer.status}: ${String(told['detail'])}`);
  return told;
}

/** Without a word to anybody, as a power cut would. */
function dieAt(step: Step, asked: string): void {
  if (step === asked) process.kill(process.pid, 'SIGKILL');
}

async function pay(user: string, amount: number, crashAt: string): Promise<object> {
  dieAt('before begin', crashAt);
  const begun = await toBus('', {
    messages: [{ url: membership, type: 'payment.taken', key: user, data: { user, amount } }],
    checkUrl: `http://127.0.0.1:${port}/check`,
  });
  const id = String(begun['id']);
  dieAt('begun', crashAt);
  const local = database.transaction(() => {
    // Fails where a check has already been answered with rollback: then nothing of this happens.
    decide.run(id, 'commit');
    credit.run(user, amount);
    dieAt('updated', crashAt);
    if (amount <= 0) throw new Error('an amount is above 0');
  });
  try {
    local();
  } catch (error) {
    await toBus(`/${id}/rollback`);
    throw error;
  }
  dieAt('stored', crashAt);
  await toBus(`/${id}/commit`);
  dieAt('committed', crashAt);
  return { id, user, balance: account.get(user) };
}

/** The bus asks what became of a transaction. Saying rollback makes it so: its local part can no longer happen. */
function check(id: string): object {
  decideOnce.run(id, 'rollback');
  return { state: outcomeOf.get(id) };
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as Record<string, unknown>;
}

async function answerTo(request: IncomingMessage): Promise<object> {
  switch (`${request.method} ${request.url}`) {
    case 'POST /pay': {
      const { user, amount } = await bodyOf(request);
      return pay(String(user), Number(amount), String(request.headers['x-crash-at'] ?? ''));
    }
    case 'POST /check':
      return check(String((await bodyOf(request))['id']));
    case 'GET /balances':
      return database.prepare('SELECT user, balance FROM accounts ORDER BY user').all();
    default:
      throw new Error('POST /pay {"user","amount"}, GET /balances');
  }
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('content-type', 'application/json');
  try {
    response.end(JSON.stringify(await answerTo(request)));
  } catch (error) {
    response.statusCode = 500;
    response.end(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
  }
}

createServer((request, response) => void serve(request, response)).listen(Number(port), '127.0.0.1', () => {
  process.stdout.write(`payments: http://127.0.0.1:${port}/pay\n`);
});
