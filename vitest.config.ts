import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Without this block Vite leaves legacy decorators in place and the files do not parse.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true }, target: 'es2023' },
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['reflect-metadata'],
    globalSetup: ['test/support/kafka-run.ts'],
    reporters: ['default', './test/support/plain-reporter.ts'],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    maxWorkers: 2,
  },
});
