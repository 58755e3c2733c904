// What all doors for fetching ask first: who it is, whether he may, and whether there is anything to fetch from here.
import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Acl } from '../../acl/acl.js';
import type { AclEntry } from '../../acl/acl-entry.js';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { Clock } from '../../message/clock.js';
import { ThisNode } from '../../message/this-node.js';
import { Mailboxes } from '../../target/mailbox/mailboxes.js';
import { nodeHeader, verifiedCaller } from '../../target/mailbox/node-signature.js';
import { WholeGroup } from '../../target/mailbox/whole-group.js';
import { callerOf } from '../caller.js';
import { jsonObjectOf } from '../messages/json-form.js';
import { detailOf } from '../messages/messages.door.js';
import { type Fault, type Problem, problemOf } from '../messages/problem.js';

type Json = Readonly<Record<string, unknown>>;

export interface Guest {
  readonly caller: AclEntry;
  readonly group: string;
  /** Another node asks, for the caller, and only for what is here. */
  readonly isNode: boolean;
}

@Injectable()
export class PullRoom {
  constructor(
    private readonly acl: Acl,
    private readonly mailboxes: Mailboxes,
    private readonly wholeGroup: WholeGroup,
    private readonly node: ThisNode,
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
  ) {}

  async enter(request: FastifyRequest): Promise<Guest | Problem> {
    const isNode = request.headers[nodeHeader] !== undefined;
    const checked = isNode ? this.callerOfNode(request) : callerOf(this.acl, request);
    const caller = checked instanceof Promise ? await checked : checked;
    if (caller === null) return problemOf('unauthorized', isNode ? unsigned : 'a name and its secret are needed');
    const { group } = request.params as { group: string };
    return this.against(caller, group) ?? { caller, group, isNode };
  }

  /** Why the caller can fetch nothing of the group; null when he can. */
  against(caller: AclEntry, group: string): Problem | null {
    // Who may not fetch is not told which groups there are.
    if (!caller.mayPull(group)) return problemOf('forbidden', 'this caller may not fetch messages of that group');
    const view = this.mailboxes.view(group);
    if (view === null) return problemOf('unknown-group', 'no subscription has that group');
    return view.isPulled ? null : problemOf('not-pulled', 'the messages of that group are sent to their receivers');
  }

  /** Null when some of the group's partitions are here, or at a node that this one asks. */
  async outOfReach(group: string): Promise<Problem | null> {
    if (await this.wholeGroup.isReached(group)) return null;
    return problemOf('not-here', 'this node has none of the group’s partitions now: ask another one, or later');
  }

  /** Whom the other node has let in: it has looked at his secret, and says so under its signature. */
  private callerOfNode(request: FastifyRequest): AclEntry | null {
    const { secret } = this.configWatch.settings.cluster;
    if (secret === null) return null;
    const body = (request.body as Buffer | undefined) ?? nothing;
    const asked = { to: this.node.id, path: request.raw.url ?? '', body };
    const name = verifiedCaller(request.headers, asked, secret, this.clock.now());
    return name === null ? null : this.acl.named(name);
  }
}

const nothing = Buffer.alloc(0);
const unsigned =
  'no node of this cluster has signed that, for this node, within a minute, for a caller whom it knows: cluster.secret, or the clocks, differ, or the node was started anew';

/** The body as `read` understands it. */
export function readBodyAs<T>(request: FastifyRequest, read: (json: Json, faults: Fault[]) => T): T | Problem {
  const body = request.body as Buffer | undefined;
  const json = body === undefined || body.length === 0 ? {} : jsonObjectOf(body);
  if (json === null) {
    const fault = { detail: 'a JSON object is needed', pointer: '#' };
    return problemOf('invalid-request', 'the body is no JSON object in UTF-8', [fault]);
  }
  const faults: Fault[] = [];
  const result = read(json, faults);
  return faults.length === 0 ? result : problemOf('invalid-request', detailOf(faults), faults);
}
