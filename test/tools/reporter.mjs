// Mocha's spec reporter, which also leaves its counts and the titles of skipped tests in $PROMLET_TEST_SUMMARY.
import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

const { EVENT_RUN_END, EVENT_TEST_FAIL, EVENT_TEST_PASS, EVENT_TEST_PENDING } = Mocha.Runner.constants;

export default class SummaryReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const summary = { passes: 0, failures: 0, skipped: [] };
    runner.on(EVENT_TEST_PASS, () => summary.passes++);
    runner.on(EVENT_TEST_FAIL, () => summary.failures++);
    runner.on(EVENT_TEST_PENDING, (test) => summary.skipped.push(test.fullTitle()));
    runner.once(EVENT_RUN_END, () => {
      const file = process.env['PROMLET_TEST_SUMMARY'];
      if (file !== undefined) writeFileSync(file, JSON.stringify(summary));
    });
  }
}
