/**
 * Start-up on the directory that a server left when it was killed, and reading all of it: each server alone on a copy of the
 * same one. The newest samples are added up and compared, or there are no figures.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Contender, dataDirOf, Server } from './contenders.ts';
import { type History, writeHistory } from './history.ts';
import { memory } from './proc.ts';
import { median } from './table.ts';

export interface ReplayScale {
  readonly targets: number;
  readonly scrapes: number;
  /** From readiness until memory is looked at again: garbage is collected, pages given back. */
  readonly settleSeconds: number;
}

export interface ReplayFigures {
  readonly program: string;
  readonly samples: number;
  /** From the start to the first answer. */
  readonly readySeconds: number;
  readonly peakRssBytes: number;
  readonly settledRssBytes: number;
  /** Of a query over all samples, through HTTP: decoding, `sum_over_time` and `sum`. */
  readonly selectNsPerSample: number;
}

const STEP_MS = 15_000;
const QUERIES = 3;

export async function run(scale: ReplayScale, contenders: readonly Contender[]): Promise<ReplayFigures[]> {
  const dir = mkdtempSync(join(tmpdir(), 'promlet-replay-'));
  try {
    const startMs = Date.now() - scale.scrapes * STEP_MS;
    const { targets, scrapes } = scale;
    const history: History = { dir: join(dir, 'history'), targets, scrapes, stepMs: STEP_MS, startMs };
    const written = await writeHistory(history);
    const figures: ReplayFigures[] = [];
    for (const contender of contenders) figures.push(await measure(contender, scale, history, written, dir));
    return figures;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function measure(
  contender: Contender,
  scale: ReplayScale,
  history: History,
  { samples, sum }: { samples: number; sum: number },
  dir: string,
): Promise<ReplayFigures> {
  const own = join(dir, contender.name.replaceAll(' ', '-'));
  mkdirSync(own);
  cpSync(history.dir, dataDirOf(own), { recursive: true });
  const started = performance.now();
  const server = await Server.start(contender, own);
  try {
    await server.ready(300_000);
    const readySeconds = (performance.now() - started) / 1e3;
    const { peakRssBytes } = memory(server.pid);
    await new Promise((resolve) => setTimeout(resolve, scale.settleSeconds * 1_000));
    const settledRssBytes = memory(server.pid).rssBytes;
    const endSeconds = Math.ceil((history.startMs + scale.scrapes * STEP_MS) / 1000);
    const selectNs = await timeSelect(server, 'http_requests_total', endSeconds, scale.scrapes, samples, sum);
    const figures = { samples, readySeconds, peakRssBytes, settledRssBytes };
    return { program: contender.name, ...figures, selectNsPerSample: selectNs };
  } finally {
    await server.stop();
    rmSync(own, { recursive: true, force: true });
  }
}

/**
 * Times a query that reads every sample of a selector.
 * @param scrapes how many samples each series has
 * @returns ns per sample @throws when samples are missing or their newest values differ
 */
export async function timeSelect(
  server: Server,
  selector: string,
  endSeconds: number,
  scrapes: number,
  samples: number,
  sum?: number,
): Promise<number> {
  const range = `${scrapes * (STEP_MS / 1000) + 60}s`;
  const counted = await server.scalar(`sum(count_over_time(${selector}[${range}]))`, endSeconds);
  if (counted !== samples) throw new Error(`${server.contender.name} has ${counted} of ${samples} samples`);
  const newest = await server.scalar(`sum(last_over_time(${selector}[${range}]))`, endSeconds);
  if (sum !== undefined && newest !== sum)
    throw new Error(`${server.contender.name}: the sum is ${newest}, not ${sum}`);
  const times: number[] = [];
  for (let i = 0; i < QUERIES; i++) {
    const started = performance.now();
    await server.scalar(`sum(sum_over_time(${selector}[${range}]))`, endSeconds);
    times.push(performance.now() - started);
  }
  return (median(times) * 1e6) / samples;
}
