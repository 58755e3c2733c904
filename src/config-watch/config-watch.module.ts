// Gives every module the settings in force and the environment they were read with.
import { type DynamicModule, Global, Module } from '@nestjs/common';
import { Clock, SystemClock } from '../message/clock.js';
import { ConfigWatch } from './config-watch.js';

@Global()
@Module({})
export class ConfigWatchModule {
  static holding(configWatch: ConfigWatch, environment: DynamicModule): DynamicModule {
    return {
      module: ConfigWatchModule,
      imports: [environment],
      providers: [
        { provide: ConfigWatch, useValue: configWatch },
        { provide: Clock, useClass: SystemClock },
      ],
      exports: [ConfigWatch, Clock],
    };
  }
}
