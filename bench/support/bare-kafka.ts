// A kafkajs as its users have it, but for TCP_NODELAY, without which it waits up to 40 ms for the end of a large request.
import { connect } from 'node:net';
import { Kafka, logLevel } from 'kafkajs';

/** Says nothing: what fails rejects. From here on this process prints none of Node's warnings. */
export function bareKafka(servers: string): Kafka {
  // kafkajs arms timers with a negative delay, and Node warns of that.
  process.removeAllListeners('warning');
  return new Kafka({
    clientId: 'bare',
    brokers: servers.split(','),
    logLevel: logLevel.NOTHING,
    socketFactory: ({ host, port, onConnect }) => {
      const socket = connect({ host, port }, onConnect);
      socket.setKeepAlive(true, 60_000);
      socket.setNoDelay(true);
      return socket;
    },
  });
}
