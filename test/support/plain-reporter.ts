// Prints the last line of a test run: 'N passed, N failed, N skipped', alone on a line, and every skipped test by name; notes the files that failed.
import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

export default class PlainReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const count = { passed: 0, failed: errors.length, skipped: 0 };
    const skipped: string[] = [];
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') count.passed += 1;
        else if (state === 'failed') count.failed += 1;
        else {
          count.skipped += 1;
          skipped.push(`SKIPPED: ${module.relativeModuleId} > ${test.fullName}`);
        }
      }
      // A file that did not load has no tests, and would otherwise count as nothing.
      if (module.state() === 'failed' && module.errors().length > 0) count.failed += 1;
    }
    // For whoever runs them again (.ci/run).
    const { FAILED_FILES } = process.env;
    if (FAILED_FILES !== undefined) {
      const failed = modules.filter((module) => module.state() === 'failed').map((module) => module.relativeModuleId);
      writeFileSync(FAILED_FILES, failed.map((file) => `${file}\n`).join(''));
    }
    process.on('exit', () => {
      for (const line of skipped) process.stdout.write(`${line}\n`);
      process.stdout.write(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`);
    });
  }
}
