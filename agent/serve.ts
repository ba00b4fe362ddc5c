import { setFlagsFromString } from 'node:v8';
import { createLogger, nodeFileSystem, systemClock, systemRandom } from '../lib/env/index.ts';
import { errorMessage } from '../lib/model/index.ts';
import { type Agent, startAgent } from './app.ts';
import { parseFlags } from './flags.ts';

/** Runs the agent until a signal stops it; exits with status 1 when it cannot start. @param args flags */
export async function serve(args: readonly string[], version: string): Promise<void> {
  // Who starts Node with a small young generation means this thread's: others have limits of their own, which
  // the flag would override.
  setFlagsFromString('--max-semi-space-size=0');
  const flags = parseFlags(args, process.env, version);
  const logger = createLogger(flags.logLevel, { program: 'promlet-agent' });
  const fail = (error: unknown): never => {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    logger.error({ error: errorMessage(error), code }, 'agent failed');
    process.exit(1);
  };
  const started = startAgent({
    flags,
    version,
    logger,
    clock: systemClock,
    random: systemRandom,
    files: nodeFileSystem,
    env: process.env,
    // As a signal would.
    onQuit: () => process.kill(process.pid, 'SIGTERM'),
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
}
