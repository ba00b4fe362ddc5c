/** Our agent and a real Prometheus as processes beside each other, on data or a configuration that they share. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../sandbox/ports.ts';
import { ManagedProcess } from '../../sandbox/process.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** A program under comparison. */
export interface Program {
  readonly url: string;
  readonly process: ManagedProcess;
}

export interface ProgramOptions {
  readonly configFile: string;
  readonly dataDir: string;
  readonly logFile: string;
  /** Beside that of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Our agent from source; the caller stops its process. */
export function startAgentProgram(options: ProgramOptions, ...flags: readonly string[]): Promise<Program> {
  const args = [join(ROOT, 'agent', 'main.ts'), '--node-name=node-a', ...flags];
  return start('agent', process.execPath, args, options);
}

/** Real Prometheus with the lifecycle API; the caller stops its process. */
export function startPrometheusProgram(
  binary: string,
  options: ProgramOptions,
  ...flags: readonly string[]
): Promise<Program> {
  const args = ['--web.enable-lifecycle', '--storage.tsdb.retention.time=100y', '--log.level=warn', ...flags];
  return start('prometheus', binary, args, options);
}

async function start(
  name: string,
  command: string,
  args: readonly string[],
  { configFile, dataDir, logFile, env = {} }: ProgramOptions,
): Promise<Program> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const common = [
    `--config.file=${configFile}`,
    `--storage.tsdb.path=${dataDir}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ];
  const child = await ManagedProcess.start({ name, command, args: [...args, ...common], env, logFile });
  try {
    await child.waitUntilOk(`${url}/-/ready`);
  } catch (error) {
    await child.stop('SIGKILL');
    throw error;
  }
  return { url, process: child };
}
