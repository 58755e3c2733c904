// What all doors for fetching ask first: who it is, whether he may, and whether there is anything to fetch from here.
import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Acl } from '../../acl/acl.js';
import type { AclEntry } from '../../acl/acl-entry.js';
import { Mailboxes } from '../../target/mailbox/mailboxes.js';
import { callerOf } from '../caller.js';
import { jsonObjectOf } from '../messages/json-form.js';
import { detailOf } from '../messages/messages.door.js';
import { type Fault, type Problem, problemOf } from '../messages/problem.js';

type Json = Readonly<Record<string, unknown>>;

export interface Guest {
  readonly caller: AclEntry;
  readonly group: string;
}

@Injectable()
export class PullRoom {
  constructor(
    private readonly acl: Acl,
    private readonly mailboxes: Mailboxes,
  ) {}

  async enter(request: FastifyRequest): Promise<Guest | Problem> {
    const checked = callerOf(this.acl, request);
    const caller = checked instanceof Promise ? await checked : checked;
    if (caller === null) return problemOf('unauthorized', 'a name and its secret are needed');
    const { group } = request.params as { group: string };
    return this.against(caller, group) ?? { caller, group };
  }

  /** Why the caller can fetch nothing of the group; null when he can. */
  against(caller: AclEntry, group: string): Problem | null {
    // Who may not fetch is not told which groups there are.
    if (!caller.mayPull(group)) return problemOf('forbidden', 'this caller may not fetch messages of that group');
    const view = this.mailboxes.view(group);
    if (view === null) return problemOf('unknown-group', 'no subscription has that group');
    return view.isPulled ? null : problemOf('not-pulled', 'the messages of that group are sent to their receivers');
  }

  /** Null when some of the group's partitions are here. */
  elsewhere(group: string): Problem | null {
    if ((this.mailboxes.view(group)?.partitions ?? 0) > 0) return null;
    return problemOf('not-here', 'this node has none of the group’s partitions now: ask another one, or later');
  }
}

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
