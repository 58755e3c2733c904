// The way back: from a receiver's answer to the caller that waits for it.
import { Module } from '@nestjs/common';
import { SharedStateModule } from '../shared-state/shared-state.module.js';
import { Replies } from './replies.js';

@Module({ imports: [SharedStateModule], providers: [Replies], exports: [Replies] })
export class ReplyModule {}
