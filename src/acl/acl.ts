// May this name, with this secret, send; and to which topic.
import { hash, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Adjustable } from '../config-watch/adjustable.js';
import { ConfigWatch } from '../config-watch/config-watch.js';
import type { AclSettings, Settings } from '../config-watch/settings.js';

interface Entry {
  readonly digest: Buffer;
  readonly topic: string;
}

const digestOf = (secret: string): Buffer => hash('sha256', secret, 'buffer');

const entriesOf = (acl: readonly AclSettings[]): ReadonlyMap<string, Entry> =>
  new Map(acl.map(({ name, secret, topic }) => [name, { digest: digestOf(secret), topic }]));

@Injectable()
export class Acl implements Adjustable {
  readonly name = 'acl';
  private entries: ReadonlyMap<string, Entry>;
  /** Compared against when the name is unknown, so that the answer takes as long. */
  private readonly nobody = digestOf('nobody');

  constructor(configWatch: ConfigWatch) {
    this.entries = entriesOf(configWatch.settings.acl);
  }

  adjust({ acl }: Settings): void {
    this.entries = entriesOf(acl);
  }

  /** The topic that the name may write to; null for an unknown name or a wrong secret, which nobody can tell apart. */
  topicFor(name: string, secret: string): string | null {
    const entry = this.entries.get(name);
    // Digests have one length, whatever the secret's was.
    const matches = timingSafeEqual(digestOf(secret), entry?.digest ?? this.nobody);
    return matches && entry !== undefined ? entry.topic : null;
  }
}
