// The helper's side of the conversation: one function for each command.
import type { Commands } from './protocol.ts';

export type Handlers<C extends Commands<C>> = {
  readonly [K in keyof C]: (request: C[K]['request']) => C[K]['answer'] | Promise<C[K]['answer']>;
};

interface Request<C> {
  readonly id: number;
  readonly command: keyof C;
  readonly request: never;
}

export function serveCommands<C extends Commands<C>>(handlers: Handlers<C>): void {
  const reply = (message: object) => process.send?.(message);
  const answer = async ({ id, command, request }: Request<C>) => {
    try {
      reply({ id, answer: (await handlers[command](request)) ?? null });
    } catch (error) {
      reply({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  };
  process.on('message', (message: Request<C>) => {
    void answer(message);
  });
  process.once('disconnect', () => process.exit(0));
}
