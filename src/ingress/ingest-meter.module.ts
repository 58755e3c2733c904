// One meter for all doors of the process.
import { Module } from '@nestjs/common';
import { IngestMeter } from './ingest-meter.js';

@Module({ providers: [IngestMeter], exports: [IngestMeter] })
export class IngestMeterModule {}
