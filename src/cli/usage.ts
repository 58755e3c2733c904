// What the commands say of themselves.
import type { Command, CommandOptions } from './command.js';
import { tableOf } from './lines.js';

/** Of every command. */
export const commonOptions = {
  json: { value: null, about: 'print JSON, for programs' },
  help: { value: null, about: 'say what the command takes' },
} as const satisfies CommandOptions;

const placeText = (place: string) => (place.endsWith('?') ? `[${place.slice(0, -1)}]` : place);

export const usageOf = ({ words, places }: Command) => ['bigpipe', words, ...places.map(placeText)].join(' ');

export function helpOf(command: Command): string[] {
  const options = Object.entries({ ...command.options, ...commonOptions } as CommandOptions);
  const rows = options.map(([name, { value, about }]) => [`  --${name}${value === null ? '' : ` ${value}`}`, about]);
  return [`usage: ${usageOf(command)} [OPTION...]`, '', `${command.about}.`, '', ...tableOf(['options:', ''], rows)];
}

export function overview(commands: readonly Command[]): string[] {
  const rows = commands.map((command) => [`  ${usageOf(command)}`, command.about]);
  return [
    'usage: bigpipe COMMAND [OPTION...]',
    '',
    ...tableOf(['commands:', ''], rows),
    '',
    'bigpipe COMMAND --help says more of each; --json prints for programs.',
    'The environment (and .env): BIGPIPE_MANAGEMENT_TOKEN opens the management listener, BIGPIPE_CALLER is NAME:SECRET of who sends.',
  ];
}
