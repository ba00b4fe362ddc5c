import { extname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { PromletError } from '../model/index.ts';
import { ConfigError } from './error.ts';
import { PARSE_SLICE_MS, WORKER_HEAP_MB, WORKER_TIMEOUT_MS } from './limits.ts';
import type { ParseOptions, PrometheusConfig, ScrapeConfig } from './types.ts';
import type { ConfigAnswer, ConfigTask } from './worker-messages.ts';

/** Beside this file in the sources, beside the chunk this file is in when bundled. */
const WORKER = new URL(`./config-worker${extname(import.meta.url)}`, import.meta.url);

export interface WorkerOptions extends ParseOptions {
  /** Ends the thread; the promise is rejected with its reason. */
  readonly signal?: AbortSignal;
}

/**
 * `parseConfig` in a thread of its own, for a program that must not stand still meanwhile; its memory goes with it.
 * Relabelling rules come as plain text either way: `relabel` compiles what it meets.
 * @throws as `parseConfig`; `config/too-large` too for what takes too much time or memory
 */
export async function parseConfigInWorker(text: string, options: WorkerOptions = {}): Promise<PrometheusConfig> {
  const answer = await ask('parse', text, options);
  if (answer.kind !== 'parsed') throw unexpected(answer);
  const rest = JSON.parse(answer.rest) as Omit<PrometheusConfig, 'scrape_configs'>;
  const jobs: ScrapeConfig[] = [];
  let sliceStartMs = performance.now();
  for (const job of answer.jobs) {
    jobs.push(JSON.parse(job) as ScrapeConfig);
    if (performance.now() - sliceStartMs < PARSE_SLICE_MS) continue;
    await nextTurn();
    sliceStartMs = performance.now();
  }
  return { ...rest, scrape_configs: jobs };
}

/** What Prometheus's configuration page shows of a text: all of it with defaults, secrets hidden. Throws as parsing does. */
export async function showConfigInWorker(text: string, options: WorkerOptions = {}): Promise<string> {
  const answer = await ask('show', text, options);
  if (answer.kind !== 'shown') throw unexpected(answer);
  return answer.text;
}

function unexpected(answer: ConfigAnswer): Error {
  if (answer.kind !== 'refused') return new Error(`config worker: an answer of kind ${answer.kind}`);
  return 'problems' in answer
    ? new ConfigError(answer.code, answer.problems)
    : new PromletError(answer.code, answer.message);
}

/** One task, one thread, which is gone when the promise settles. */
async function ask(kind: ConfigTask['kind'], text: string, options: WorkerOptions): Promise<ConfigAnswer> {
  const { signal, ...parseOptions } = options;
  signal?.throwIfAborted();
  const task: ConfigTask = { kind, text, options: parseOptions };
  const worker = new Worker(WORKER, {
    workerData: task,
    env: {},
    name: 'config',
    resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB, maxYoungGenerationSizeMb: 16 },
  });
  const timeout = AbortSignal.timeout(WORKER_TIMEOUT_MS);
  const stop = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  try {
    return await new Promise<ConfigAnswer>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', (error) => reject(explained(error)));
      worker.once('exit', (code) => reject(new Error(`config worker: ended with code ${code} without an answer`)));
      stop.addEventListener('abort', () => reject(signal?.aborted ? (signal.reason as Error) : tooSlow()));
    });
  } finally {
    await worker.terminate();
  }
}

function tooSlow(): PromletError {
  return new PromletError('config/too-large', `the configuration is not read within ${WORKER_TIMEOUT_MS} ms`);
}

function explained(error: unknown): unknown {
  const outOfMemory = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
  if (!outOfMemory) return error;
  return new PromletError('config/too-large', `the configuration takes more than ${WORKER_HEAP_MB} MB to read`);
}
