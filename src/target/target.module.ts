// The targets there are; today HTTP is the only one.
import { Module } from '@nestjs/common';
import { HttpTarget } from './http/http.target.js';
import { Target } from './target.js';

@Module({ providers: [{ provide: Target, useClass: HttpTarget }], exports: [Target] })
export class TargetModule {}
