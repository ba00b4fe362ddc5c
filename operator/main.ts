import { createLogger, systemClock } from '../lib/env/index.ts';
import { errorMessage } from '../lib/model/index.ts';
import packageJson from '../package.json' with { type: 'json' };
import { parseFlags, startOperator } from './app/index.ts';

const flags = parseFlags(process.argv.slice(2));
const logger = createLogger(flags.logLevel, { program: 'promlet-operator' });
const started = startOperator({ flags, version: packageJson.version, logger, clock: systemClock });

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // A second signal of the same kind finds no handler and ends the process at once.
  process.once(signal, () => {
    logger.info({ signal }, 'stopping');
    started.then((operator) => operator.stop()).then(() => process.exit(0), fail);
  });
}

await started.catch(fail);

function fail(error: unknown): never {
  logger.error({ error: errorMessage(error) }, 'operator failed');
  process.exit(1);
}
