// How far consumer groups are behind, on this process's broker and on others.
import { Module } from '@nestjs/common';
import { Monitor } from './monitor.js';

@Module({
  providers: [Monitor],
  exports: [Monitor],
})
export class MonitorModule {}
