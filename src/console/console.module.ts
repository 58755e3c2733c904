// The page for operators, on their listener, and what it shows while it is open.
import { Module } from '@nestjs/common';
import { DispatcherModule } from '../dispatcher/dispatcher.module.js';
import { LiveFeed } from './live-feed.js';
import { PageController } from './page.controller.js';
import { PageFiles } from './page-files.js';
import { Sampler } from './sampler.js';
import { StreamController } from './stream.controller.js';

@Module({
  imports: [DispatcherModule],
  controllers: [PageController, StreamController],
  providers: [LiveFeed, PageFiles, Sampler],
})
export class ConsoleModule {}
