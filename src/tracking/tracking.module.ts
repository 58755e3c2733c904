// Where a message is, by its id, and whether it is still wanted.
import { Module } from '@nestjs/common';
import { CancelLog } from './cancel-log.js';
import { MessageFinder } from './message-finder.js';
import { MessageTracker } from './message-tracker.js';

const parts = [CancelLog, MessageFinder, MessageTracker];

@Module({ providers: parts, exports: parts })
export class TrackingModule {}
