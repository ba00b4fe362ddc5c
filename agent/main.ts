import { createLogger, nodeFileSystem, systemClock, systemRandom } from '../lib/env/index.ts';
import { errorMessage } from '../lib/model/index.ts';
import packageJson from '../package.json' with { type: 'json' };
import { type Agent, startAgent } from './app.ts';
import { parseFlags } from './flags.ts';

const { version } = packageJson;
const flags = parseFlags(process.argv.slice(2), process.env, version);
const logger = createLogger(flags.logLevel, { program: 'promlet-agent' });

const started = startAgent({
  flags,
  version,
  logger,
  clock: systemClock,
  random: systemRandom,
  files: nodeFileSystem,
  env: process.env,
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // A second signal of the same kind finds no handler and ends the process at once.
  process.once(signal, () => {
    logger.info({ signal }, 'stopping');
    started.then((agent) => agent.stop()).then(() => process.exit(0), fail);
  });
}
process.on('SIGHUP', () => {
  // A refusal is logged where the configuration is kept.
  started.then((agent: Agent) => agent.reload()).catch(() => undefined);
});

await started.catch(fail);

function fail(error: unknown): never {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  logger.error({ error: errorMessage(error), code }, 'agent failed');
  process.exit(1);
}
