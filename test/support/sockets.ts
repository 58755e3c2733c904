// Which TCP sockets a process holds, as Linux itself tells it.
import { readdir, readFile, readlink } from 'node:fs/promises';

/** States of /proc/net/tcp. */
const listen = '0A';
/** Established, being established, and closed by the other side: without an owner only until somebody accepts them. */
const notAccepted: readonly string[] = ['01', '03', '08'];

interface TcpRow {
  readonly localPort: number;
  readonly remotePort: number;
  readonly state: string;
  readonly inode: string;
}

/** IPv4 only: every test here is on 127.0.0.1. */
async function tcpRows(): Promise<TcpRow[]> {
  const lines = (await readFile('/proc/net/tcp', 'utf8')).trim().split('\n').slice(1);
  return lines.map((line) => {
    const [, local = '', remote = '', state = '', , , , , , inode = ''] = line.trim().split(/\s+/);
    return { localPort: portOf(local), remotePort: portOf(remote), state, inode };
  });
}

const portOf = (address: string) => Number.parseInt(address.split(':')[1] ?? '', 16);

async function inodesOf(pid: number): Promise<Set<string>> {
  const handles = await readdir(`/proc/${pid}/fd`);
  const links = await Promise.all(handles.map((handle) => readlink(`/proc/${pid}/fd/${handle}`).catch(() => '')));
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
}

/** How many sockets to one of these ports the process holds open. */
export async function socketsTo(pid: number, ...ports: readonly number[]): Promise<number> {
  const inodes = await inodesOf(pid);
  return (await tcpRows()).filter(({ remotePort, inode }) => ports.includes(remotePort) && inodes.has(inode)).length;
}

/** How many handles of any kind the process holds open, sockets from or to one of these ports left out. */
export async function handlesBeside(pid: number, ...ports: readonly number[]): Promise<number> {
  const inodes = await inodesOf(pid);
  const rows = (await tcpRows()).filter(({ inode }) => inodes.has(inode));
  const beside = rows.filter(({ localPort, remotePort }) => ports.includes(localPort) || ports.includes(remotePort));
  return (await readdir(`/proc/${pid}/fd`)).length - beside.length;
}

/** Bytes of memory that the process has in use. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** True while any connection of the listener on that port still has somebody at this end, or has not been accepted yet. */
export async function hasConnections(port: number): Promise<boolean> {
  const rows = await tcpRows();
  return rows.some(
    ({ localPort, state, inode }) =>
      localPort === port && state !== listen && (inode !== '0' || notAccepted.includes(state)),
  );
}
