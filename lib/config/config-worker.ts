/** The thread behind `worker-client.ts`: does one task, answers, ends. It alone loads zod and yaml. */
import { parentPort, workerData } from 'node:worker_threads';
import { PromletError } from '../model/index.ts';
import { ConfigError } from './error.ts';
import { parse } from './parse.ts';
import { serialize } from './serialize.ts';
import type { ConfigAnswer, ConfigTask } from './worker-messages.ts';

function answerTo(task: ConfigTask): ConfigAnswer {
  const config = parse(task.text, task.options);
  if (task.kind === 'show') return { kind: 'shown', text: serialize(config, { redact: true }) };
  const { scrape_configs, ...rest } = config;
  return { kind: 'parsed', rest: JSON.stringify(rest), jobs: scrape_configs.map((job) => JSON.stringify(job)) };
}

function refusal(error: unknown): ConfigAnswer {
  if (error instanceof ConfigError) return { kind: 'refused', code: error.code, problems: error.problems };
  if (error instanceof PromletError) return { kind: 'refused', code: error.code, message: error.message };
  throw error;
}

let answer: ConfigAnswer;
try {
  answer = answerTo(workerData as ConfigTask);
} catch (error) {
  answer = refusal(error);
}
// A MessagePort has no origins.
// eslint-disable-next-line unicorn/require-post-message-target-origin
parentPort!.postMessage(answer);
