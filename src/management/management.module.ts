// The operator's door, on its own port.
import { Module } from '@nestjs/common';
import { BrokerController } from './broker.controller.js';

@Module({ controllers: [BrokerController] })
export class ManagementModule {}
