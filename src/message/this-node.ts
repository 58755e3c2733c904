// This process among its peers: the name that it alone has, and where they reach it.
import { randomBytes } from 'node:crypto';

/** Eight hexadecimal digits: the first ones of a lease say whose it is. */
const idBytes = 4;

export class ThisNode {
  /** Another one after each start: what a process held has gone with it. */
  readonly id = randomBytes(idBytes).toString('hex');
  private readonly followers: (() => void)[] = [];

  /** Null: not known yet, or nobody is to know it. */
  constructor(private known: string | null = null) {}

  /** The origin of its main listener; null while its peers cannot reach it. */
  get address(): string | null {
    return this.known;
  }

  /** It listens: peers can reach it there. */
  listensAt(address: string | null): void {
    if (address === this.known) return;
    this.known = address;
    for (const follower of this.followers) follower();
  }

  /** Told when the address has changed. */
  follow(follower: () => void): void {
    this.followers.push(follower);
  }
}
