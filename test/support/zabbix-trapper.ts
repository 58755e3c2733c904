// As much of a Zabbix server as zabbix_sender talks to: takes items, notes them, says that all were processed.
import { spawn, spawnSync } from 'node:child_process';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** Says aloud what is not tested without it. */
export const hasZabbixSender = spawnSync('zabbix_sender', ['-V']).status === 0;
if (!hasZabbixSender)
  console.log('SKIPPED: zabbix_sender is not there, that it reads the lines of /delay is not tested');

interface Item {
  readonly host: string;
  readonly key: string;
  readonly value: string;
}

/** "ZBXD", its flags, then the length of the data as 8 bytes. */
const headerBytes = 13;

export class ZabbixTrapper {
  readonly items: Item[] = [];

  private constructor(private readonly server: Server) {}

  static async start(): Promise<ZabbixTrapper> {
    const server = createServer();
    const trapper = new ZabbixTrapper(server);
    server.on('connection', (socket) => trapper.serve(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return trapper;
  }

  /** zabbix_sender, reading the text from its standard input. Resolves to its exit code. */
  async sendFrom(host: string, text: string): Promise<number | null> {
    const { port } = this.server.address() as AddressInfo;
    const args = ['-z', '127.0.0.1', '-p', `${port}`, '-s', host, '-i', '-'];
    const sender = spawn('zabbix_sender', args, { stdio: ['pipe', 'ignore', 'inherit'] });
    sender.stdin.end(text);
    return new Promise((resolve, reject) => {
      sender.once('error', reject);
      sender.once('exit', resolve);
    });
  }

  close(): void {
    this.server.close();
  }

  private serve(socket: Socket): void {
    let bytes = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length < headerBytes || bytes.length < headerBytes + bytes.readUInt32LE(5)) return;
      const { data } = JSON.parse(bytes.subarray(headerBytes).toString()) as { data: Item[] };
      this.items.push(...data.map(({ host, key, value }) => ({ host, key, value })));
      const info = `processed: ${data.length}; failed: 0; total: ${data.length}; seconds spent: 0.000001`;
      const answer = Buffer.from(JSON.stringify({ response: 'success', info }));
      const header = Buffer.alloc(headerBytes);
      header.write('ZBXD\x01');
      header.writeUInt32LE(answer.length, 5);
      socket.end(Buffer.concat([header, answer]));
    });
  }
}
