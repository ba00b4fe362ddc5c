/** The process behind `process-client.ts`: a task on stdin, answers on stdout. It alone loads zod and yaml. */
import { text } from 'node:stream/consumers';
import { PromletError } from '../model/index.ts';
import { ConfigError } from './error.ts';
import { parse } from './parse.ts';
import type { ConfigAnswer, ConfigTask } from './process-messages.ts';
import { serialize } from './serialize.ts';

function answersTo(task: ConfigTask): ConfigAnswer[] {
  const config = parse(task.text, task.options);
  if (task.kind === 'show') return [{ kind: 'shown', text: serialize(config, { redact: true }) }];
  const { scrape_configs, ...sections } = config;
  return [{ kind: 'sections', sections }, ...scrape_configs.map((job): ConfigAnswer => ({ kind: 'job', job }))];
}

function refusal(error: unknown): ConfigAnswer {
  if (error instanceof ConfigError) return { kind: 'refused', code: error.code, problems: error.problems };
  if (error instanceof PromletError) return { kind: 'refused', code: error.code, message: error.message };
  throw error;
}

const task = JSON.parse(await text(process.stdin)) as ConfigTask;
let answers: ConfigAnswer[];
try {
  answers = answersTo(task);
} catch (error) {
  answers = [refusal(error)];
}
for (const answer of answers) process.stdout.write(`${JSON.stringify(answer)}\n`);
