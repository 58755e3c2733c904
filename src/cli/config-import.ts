// bigpipe config import: an older system's files as a configuration of ours, and what is not as it was.
import { writeFileSync } from 'node:fs';
import { type Command, CommandError } from './command.js';
import { fromBigpipeGo } from './import/bigpipe-go.js';
import { fromKmonitor } from './import/kmonitor.js';
import { fromKproxy } from './import/kproxy.js';
import { fromKtransfer } from './import/ktransfer.js';
import type { Imported } from './import/old-file.js';

const systems: Readonly<Record<string, (directory: string) => Imported>> = {
  'bigpipe-go': fromBigpipeGo,
  kproxy: fromKproxy,
  ktransfer: fromKtransfer,
  kmonitor: fromKmonitor,
};

export const configImport: Command = {
  words: 'config import',
  places: ['DIRECTORY'],
  about: "print an older system's configuration as one of ours, and what changes its meaning",
  options: {
    from: { value: 'SYSTEM', about: Object.keys(systems).join(', ') },
    out: { value: 'FILE', about: 'write it there; not over a file that is there' },
  },
  async run({ places, texts }, { isJson, print, warn }) {
    const read = systems[texts['from'] ?? ''];
    if (read === undefined) throw new CommandError(`--from: allowed: ${Object.keys(systems).join(', ')}`);
    const { config, notes } = read(places['DIRECTORY'] as string);
    const text = JSON.stringify(config, null, 2);
    if (texts['out'] !== undefined) writeNew(texts['out'], text);
    if (isJson) print(JSON.stringify({ config, notes }));
    else {
      if (texts['out'] === undefined) print(text);
      for (const note of notes) warn(note);
    }
    return 0;
  },
};

function writeNew(file: string, text: string): void {
  try {
    writeFileSync(file, `${text}\n`, { flag: 'wx' });
  } catch (error) {
    if ((error as { code?: unknown }).code === 'EEXIST') throw new CommandError(`--out: ${file} is there already`);
    throw error;
  }
}
