// Half messages: a local transaction of a producer and its messages, both or neither.
import { Module } from '@nestjs/common';
import { ProducerModule } from '../producer/producer.module.js';
import { Checker } from './checker.js';
import { Finisher } from './finisher.js';
import { Keeping } from './keeping.js';
import { TransactionLog } from './transaction-log.js';
import { Transactions } from './transactions.js';
import { UnsentLetters } from './unsent-letters.js';

@Module({
  imports: [ProducerModule],
  providers: [Checker, Finisher, Keeping, TransactionLog, Transactions, UnsentLetters],
  exports: [Transactions],
})
export class TransactionModule {}
