// The embedded driver against every promise of the port, with its tail in memory and without.
import { type EmbeddedHome, embeddedHome } from '../support/embedded.js';
import { brokerSuite } from './broker.suite.js';

for (const [name, tailBytes] of [
  ['embedded', 1_048_576],
  ['embedded, reading from disk', 0],
] as const) {
  let home: EmbeddedHome;
  brokerSuite(name, {
    make: async () => {
      home = await embeddedHome();
      return home.make({ tailBytes });
    },
    close: () => home.remove(),
  });
}
