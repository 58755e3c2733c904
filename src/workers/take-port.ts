// Finds out whether the main listener's address can be had, before workers share it.
import { type AddressInfo, createServer } from 'node:net';

/**
 * Resolves to the port, which is free again: for 0 the one that the system chose. A shared port would let a second
 * program in beside us without a word; taking it alone first refuses that. Rejects with what the system says.
 */
export function takePort(port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host, exclusive: true }, () => {
      const taken = (server.address() as AddressInfo).port;
      server.close(() => resolve(taken));
    });
  });
}
