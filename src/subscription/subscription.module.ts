// Who gets what: bindings, groups, endpoints and leases, from the file and registered while bigpipe runs.
import { Module } from '@nestjs/common';
import { Registrations } from './registrations.js';
import { Subscriptions } from './subscriptions.js';

const parts = [Registrations, Subscriptions];

@Module({ providers: parts, exports: parts })
export class SubscriptionModule {}
