// bigpipe start: the program itself, in this process.
import type { Command } from './command.js';

export const start: Command = {
  words: 'start',
  places: [],
  about: 'run bigpipe until it is told to stop (SIGTERM, SIGINT)',
  options: { config: { value: 'FILE', about: 'the configuration; else BIGPIPE_CONFIG, else config/bigpipe.json' } },
  async run({ texts }) {
    const { config } = texts;
    process.argv.splice(2, Number.POSITIVE_INFINITY, ...(config === undefined ? [] : ['--config', config]));
    // It reads its own command line, hears its own signals, and ends the process.
    const main = new URL('../main.js', import.meta.url);
    await import(main.href);
    return 0;
  },
};
