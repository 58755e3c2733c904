// The memory driver against every promise of the port.
import { MemoryBroker } from '#src/broker/drivers/memory/memory.broker.js';
import { SystemClock } from '#src/message/clock.js';
import { brokerSuite } from './broker.suite.js';

brokerSuite('memory', {
  make: () => new MemoryBroker({ maxBytes: 64 * 1_048_576, clock: new SystemClock(), report: () => undefined }),
  close: async () => undefined,
});
