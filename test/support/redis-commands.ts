// What a Redis has been asked, command by command.
import { connect } from 'node:net';

/** One command over a connection of its own; resolves to the answer as it stands on the wire. */
export function askRedis(url: string, command: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(Number(port), hostname, () => socket.end(`${command}\r\nQUIT\r\n`));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.once('close', () => resolve(text));
    socket.once('error', reject);
  });
}

/** Not for the calls: these look after the connection, or count. */
const besides: ReadonlySet<string> = new Set([
  'info',
  'config',
  'ping',
  'hello',
  'client',
  'quit',
  'subscribe',
  'auth',
]);

/** How often each command was run since the count began. */
export async function commandsOf(url: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const [, name = '', calls] of (await askRedis(url, 'INFO commandstats')).matchAll(
    /cmdstat_([^:|]+)[^:]*:calls=(\d+)/g,
  )) {
    if (!besides.has(name)) counts.set(name, (counts.get(name) ?? 0) + Number(calls));
  }
  return counts;
}

export const countAnew = (url: string) => askRedis(url, 'CONFIG RESETSTAT');
