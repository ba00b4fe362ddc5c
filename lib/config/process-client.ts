import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PromletError } from '../model/index.ts';
import { ConfigError } from './error.ts';
import { MAX_STDERR_LENGTH, PROCESS_HEAP_MB, PROCESS_TIMEOUT_MS } from './limits.ts';
import type { ConfigAnswer, ConfigTask } from './process-messages.ts';
import type { ParseOptions, PrometheusConfig, ScrapeConfig } from './types.ts';

/** Beside this file in the sources, beside the chunk this file is in when bundled. */
const PROGRAM = fileURLToPath(new URL(`./parse-process${extname(import.meta.url)}`, import.meta.url));

export interface ProcessOptions extends ParseOptions {
  /** Ends the process; the promise is rejected with its reason. */
  readonly signal?: AbortSignal;
}

/**
 * `parseConfig` in a process of its own, for a program that must neither stand still nor keep the memory that parsing takes.
 * Of a thread's memory about 20 MB would stay, of a process's nothing does. Rules for relabelling come as text either way.
 * @throws as `parseConfig`; `config/too-large` too for what takes too much time or memory
 */
export async function parseConfigInProcess(text: string, options: ProcessOptions = {}): Promise<PrometheusConfig> {
  let sections: Omit<PrometheusConfig, 'scrape_configs'> | undefined;
  const jobs: ScrapeConfig[] = [];
  await ask('parse', text, options, (answer) => {
    if (answer.kind === 'sections') sections = answer.sections;
    else if (answer.kind === 'job') jobs.push(answer.job);
  });
  if (sections === undefined) throw new Error('config process: no sections came');
  return { ...sections, scrape_configs: jobs };
}

/** What Prometheus's configuration page shows of a text: all of it with defaults, secrets hidden. Throws as parsing does. */
export async function showConfigInProcess(text: string, options: ProcessOptions = {}): Promise<string> {
  let shown: string | undefined;
  await ask('show', text, options, (answer) => {
    if (answer.kind === 'shown') shown = answer.text;
  });
  if (shown === undefined) throw new Error('config process: no text came');
  return shown;
}

/** One task, one process, which is gone when the promise settles. Answers are visited as they come, between other work. */
async function ask(
  kind: ConfigTask['kind'],
  text: string,
  { signal, ...options }: ProcessOptions,
  visit: (answer: ConfigAnswer) => void,
): Promise<void> {
  signal?.throwIfAborted();
  const task: ConfigTask = { kind, text, options };
  const child = spawn(process.execPath, [`--max-old-space-size=${PROCESS_HEAP_MB}`, PROGRAM], {
    env: {},
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const timeout = AbortSignal.timeout(PROCESS_TIMEOUT_MS);
  const stop = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  const kill = (): void => void child.kill('SIGKILL');
  stop.addEventListener('abort', kill);
  // That it ended before it had read all shows in how it ended.
  child.stdin.on('error', () => undefined);
  child.stdin.end(JSON.stringify(task));
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (data: string) => {
    stderr = (stderr + data).slice(-MAX_STDERR_LENGTH);
  });
  let refused: unknown;
  createInterface({ input: child.stdout }).on('line', (line) => {
    try {
      const answer = JSON.parse(line) as ConfigAnswer;
      if (answer.kind === 'refused') refused = errorOf(answer);
      else visit(answer);
    } catch (error) {
      // Half a line, of a process that was killed.
      refused = error;
    }
  });
  try {
    // Rejects when it could not be started; `close` comes when all its output is read.
    await once(child, 'close');
  } finally {
    stop.removeEventListener('abort', kill);
  }
  signal?.throwIfAborted();
  if (timeout.aborted) throw tooLarge(`${PROCESS_TIMEOUT_MS} ms`);
  if (stderr.includes('heap out of memory')) throw tooLarge(`${PROCESS_HEAP_MB} MB`);
  if (child.exitCode !== 0) {
    throw new Error(`config process: ended with ${child.exitCode ?? child.signalCode}: ${stderr}`);
  }
  if (refused !== undefined) throw refused;
}

function errorOf(answer: ConfigAnswer & { kind: 'refused' }): Error {
  return 'problems' in answer
    ? new ConfigError(answer.code, answer.problems)
    : new PromletError(answer.code, answer.message);
}

function tooLarge(limit: string): PromletError {
  return new PromletError('config/too-large', `reading the configuration takes more than ${limit}`);
}
