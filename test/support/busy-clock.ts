// A clock by which everything takes time, and how often others have their turn meanwhile.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FakeClock } from './fake-clock.js';

/** A millisecond passes each time that it is looked at. */
export class BusyClock extends FakeClock {
  private looks = 0;

  override elapsedMs(): number {
    this.looks += 1;
    return super.elapsedMs() + this.looks;
  }
}

/** How many turns of the event loop the work leaves to others until it has ended. */
export async function turnsDuring<T>(work: () => Promise<T>): Promise<{ result: T; turns: number }> {
  let isOver = false;
  let turns = 0;
  const others = async () => {
    while (!isOver) {
      await nextTurn();
      turns += 1;
    }
  };
  const counted = others();
  const result = await work();
  isOver = true;
  await counted;
  return { result, turns };
}
