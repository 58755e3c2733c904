// The topics that the settings name: created at the start, and when a reload names more.
import { Injectable } from '@nestjs/common';
import type { TopicSettings } from '../config-watch/settings.js';
import { Broker } from './broker.js';

@Injectable()
export class Topics {
  constructor(private readonly broker: Broker) {}

  /** What is there already keeps its messages; a topic that is no longer named stays as it is. */
  async ensure(topics: readonly TopicSettings[]): Promise<void> {
    for (const { name, partitions } of topics) {
      await this.broker.ensureTopic({ name, partitions, retention: 'standard' });
    }
  }
}
