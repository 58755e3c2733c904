// Who may send where.
import { Module } from '@nestjs/common';
import { Acl } from './acl.js';

@Module({ providers: [Acl], exports: [Acl] })
export class AclModule {}
