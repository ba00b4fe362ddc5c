import { createLogger, systemClock } from '../lib/env/index.ts';
import { errorMessage } from '../lib/model/index.ts';
import { parseFlags, startOperator } from './app/index.ts';

const flags = parseFlags(process.argv.slice(2));
const logger = createLogger(flags.logLevel, { program: 'promlet-operator' });

try {
  const operator = await startOperator({ flags, logger, clock: systemClock });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      logger.info({ signal }, 'stopping');
      operator.stop().then(
        () => process.exit(0),
        (error: unknown) => fail(error, 'stop failed'),
      );
    });
  }
} catch (error) {
  fail(error, 'start failed');
}

function fail(error: unknown, message: string): never {
  logger.error({ error: errorMessage(error) }, message);
  process.exit(1);
}
