// bigpipe send: hands over one call.
import { buffer } from 'node:stream/consumers';
import { exchange, urlOf } from './ask.js';
import { type Command, CommandError, numberOf, type Surroundings } from './command.js';

const mainUrl = 'http://127.0.0.1:10086';
/** Beyond the wait that was asked for. */
const answerMs = 30_000;
const longestWaitS = 3600;

/** Of the main listener, for the commands that send calls. */
export const senderOptions = {
  to: { value: 'URL', about: `the main listener; ${mainUrl} unless told otherwise` },
} as const;

/** Options that are a header of POST /v1/messages as they stand. */
const headerOf = {
  topic: 'bigpipe-topic',
  type: 'bigpipe-type',
  key: 'bigpipe-key',
  delay: 'bigpipe-delay',
  expires: 'bigpipe-expires',
  id: 'bigpipe-message-id',
  'content-type': 'content-type',
} as const;

export const send: Command = {
  words: 'send',
  places: ['URL', 'DATA?'],
  about: 'hand over one call; DATA "-" is read from stdin, and none is an empty body',
  options: {
    ...senderOptions,
    topic: { value: 'TOPIC', about: "another topic than the caller's own" },
    type: { value: 'TYPE', about: 'the finer label within the topic' },
    key: { value: 'KEY', about: 'calls of one key are delivered in order' },
    delay: { value: 'TIME', about: 'not before so much time has gone by: 90s, 15m, 2h' },
    expires: { value: 'TIME', about: 'a moment or a time from now, from which on it is not worth sending' },
    id: { value: 'ID', about: 'an id of your own' },
    'content-type': { value: 'TYPE', about: "the receiver's; text/plain unless told otherwise" },
    header: { value: "'NAME: TEXT'", about: 'sent to the receiver; may be given several times', many: true },
    wait: { value: 'SECONDS', about: "wait so long for the receiver's answer, and print it" },
  },
  async run({ places, texts, lists }, around) {
    const url = urlOf('--to', '/v1/messages', texts['to'] ?? mainUrl);
    const data = places['DATA'] ?? '';
    const waitS = numberOf('--wait', texts['wait'], 0, longestWaitS);
    const headers = new Headers({
      authorization: authorizationOf(around),
      'bigpipe-url': places['URL'] ?? '',
      'content-type': 'text/plain; charset=utf-8',
      ...(waitS === undefined ? {} : { prefer: `wait=${Math.ceil(waitS)}` }),
    });
    for (const [option, header] of Object.entries(headerOf)) {
      const text = texts[option];
      if (text !== undefined) headers.set(header, text);
    }
    for (const line of lists['header'] ?? []) headers.set(...forwarded(line));
    const body = data === '-' ? await buffer(process.stdin) : data;
    const answer = await exchange(
      url,
      { method: 'POST', headers, body: typeof body === 'string' ? body : new Uint8Array(body) },
      answerMs + 1000 * (waitS ?? 0),
      around,
    );
    const id = answer.headers.get('bigpipe-message-id');
    if (id === null) throw new Error(`${url.href} answered ${answer.status}: ${answer.text.slice(0, 1000)}`);
    const reply = answer.headers.get('bigpipe-reply');
    const durability = answer.headers.get('bigpipe-durability');
    if (around.isJson) {
      const answered = reply === null ? {} : { reply, status: answer.status, body: answer.text };
      around.print(JSON.stringify({ id, durability, ...answered }));
    } else if (reply === null) around.print(`${id} stored (${durability})`);
    else {
      around.show(`${id} ${reply === 'answered' ? 'was answered' : 'was not delivered'}: ${answer.status}`);
      around.print(answer.text);
    }
    return answer.ok ? 0 : 1;
  },
};

function forwarded(line: string): [string, string] {
  const [, name, text] = /^([\w!#$%&'*+.^`|~-]+):\s*(.*)$/s.exec(line) ?? [];
  if (name === undefined || text === undefined)
    throw new CommandError(`--header: found ${JSON.stringify(line)}, allowed: NAME: TEXT`);
  return [`bigpipe-forward-${name}`, text];
}

/** Who calls, as the environment says: a secret on a command line is seen by everybody on the machine. */
export function callerOf({ environment }: Surroundings): { readonly name: string; readonly secret: string } {
  const [, name, secret] = /^([^:]+):(.+)$/s.exec(environment.BIGPIPE_CALLER ?? '') ?? [];
  if (name === undefined || secret === undefined)
    throw new CommandError('BIGPIPE_CALLER is missing: NAME:SECRET, one of kafka.producer.acl');
  return { name, secret };
}

function authorizationOf(around: Surroundings): string {
  const { name, secret } = callerOf(around);
  return `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`;
}
