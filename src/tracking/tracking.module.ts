// Where a message is, by its id.
import { Module } from '@nestjs/common';
import { MessageFinder } from './message-finder.js';

@Module({ providers: [MessageFinder], exports: [MessageFinder] })
export class TrackingModule {}
