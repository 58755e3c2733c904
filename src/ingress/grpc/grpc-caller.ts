// Who calls over gRPC: by the metadata `authorization`, as the header of that name says it over HTTP.
import type { Metadata } from '@grpc/grpc-js';
import { Injectable } from '@nestjs/common';
import { Acl } from '../../acl/acl.js';
import type { AclEntry } from '../../acl/acl-entry.js';
import { credentialsOf } from '../caller.js';
import { problemOf } from '../messages/problem.js';
import { refusalOf } from './refusal.js';

/** What of a call says who calls. */
export interface GrpcCall {
  readonly metadata: Metadata;
  /** address:port */
  getPeer(): string;
}

@Injectable()
export class GrpcCaller {
  constructor(private readonly acl: Acl) {}

  /** Null for who does not say who he is, or says so wrongly. */
  async find(call: GrpcCall): Promise<AclEntry | null> {
    const [authorization] = call.metadata.get('authorization');
    const credentials = credentialsOf(authorization?.toString());
    if (credentials === null) return null;
    return this.acl.check(credentials.name, credentials.secret, addressOf(call.getPeer()));
  }

  /** Who makes one call, which is counted. Throws a refusal. */
  async admit(call: GrpcCall): Promise<AclEntry> {
    const caller = await this.find(call);
    if (caller === null) throw refusalOf(unknownCaller);
    const throttle = caller.admit();
    if (throttle !== null) throw refusalOf(usedUp, throttle.retryAfterS);
    return caller;
  }
}

export const unknownCaller = problemOf('unauthorized', 'a name and its secret are needed');
export const usedUp = problemOf('throttled', 'this caller has used up its rate');

const addressOf = (peer: string) => peer.slice(0, Math.max(0, peer.lastIndexOf(':')));
