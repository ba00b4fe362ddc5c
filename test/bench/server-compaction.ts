/**
 * Compaction of the head as servers do it: each alone on a copy of a directory whose log holds two hours of some time ago.
 * Then it is told to scrape itself, so that the head spans enough for those two hours to become a block. The time is that
 * between the appearance of the unfinished block and its renaming. Then a part of the block is read.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Contender, dataDirOf, Server } from './contenders.ts';
import { type History, writeHistory } from './history.ts';
import { directoryBytes } from './ingest.ts';
import { cpuSeconds, memory, resetPeak } from './proc.ts';
import { timeSelect } from './replay.ts';

export interface ServerCompactionFigures {
  readonly program: string;
  readonly samples: number;
  readonly seconds: number;
  /** Of the whole process meanwhile. */
  readonly cpuSeconds: number;
  /** When it was ready, and at the highest while the block was written. */
  readonly rssBytes: number;
  readonly peakRssBytes: number;
  readonly blockBytesPerSample: number;
  /** Of a query over a quarter of the block, through HTTP. */
  readonly selectNsPerSample: number;
}

const HOUR_MS = 3_600_000;
const BLOCK_MS = 2 * HOUR_MS;
const STEP_MS = 15_000;
const SCRAPES = BLOCK_MS / STEP_MS;
const POLL_MS = 10;
/** Of the four methods that the workload has one is read. */
const PART = 'http_requests_total{method="GET"}';

export async function run(
  scale: { readonly targets: number },
  contenders: readonly Contender[],
): Promise<ServerCompactionFigures[]> {
  const dir = mkdtempSync(join(tmpdir(), 'promlet-compaction-'));
  try {
    const startMs = Math.floor((Date.now() - 3 * BLOCK_MS) / BLOCK_MS) * BLOCK_MS;
    const shape = { targets: scale.targets, scrapes: SCRAPES, stepMs: STEP_MS, startMs };
    const history: History = { dir: join(dir, 'history'), ...shape };
    const { samples } = await writeHistory(history);
    const figures: ServerCompactionFigures[] = [];
    for (const contender of contenders) figures.push(await measure(contender, history, samples, dir));
    return figures;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function measure(
  contender: Contender,
  history: History,
  samples: number,
  dir: string,
): Promise<ServerCompactionFigures> {
  const own = join(dir, contender.name.replaceAll(' ', '-'));
  mkdirSync(own);
  const dataDir = dataDirOf(own);
  cpSync(history.dir, dataDir, { recursive: true });
  const server = await Server.start(contender, own);
  try {
    const { pid } = server;
    await server.ready(300_000);
    const { rssBytes } = memory(pid);
    await server.configure(selfScrape(server));
    await waitFor(dataDir, /^[0-9A-Z]{26}(\.tmp-for-creation)?$/);
    resetPeak(pid);
    const cpuBefore = cpuSeconds(pid);
    const started = performance.now();
    const block = join(dataDir, await waitFor(dataDir, /^[0-9A-Z]{26}$/));
    const seconds = (performance.now() - started) / 1e3;
    const cpu = cpuSeconds(pid) - cpuBefore;
    const { peakRssBytes } = memory(pid);
    const meta = JSON.parse(readFileSync(join(block, 'meta.json'), 'utf8')) as { stats: { numSamples: number } };
    if (meta.stats.numSamples !== samples)
      throw new Error(`${meta.stats.numSamples} of ${samples} samples in the block`);
    const endSeconds = Math.ceil((history.startMs + BLOCK_MS) / 1000);
    return {
      program: contender.name,
      samples,
      seconds,
      cpuSeconds: cpu,
      rssBytes,
      peakRssBytes,
      blockBytesPerSample: directoryBytes(block) / samples,
      selectNsPerSample: await timeSelect(server, PART, endSeconds, SCRAPES, samples / 4),
    };
  } finally {
    await server.stop();
    rmSync(own, { recursive: true, force: true });
  }
}

function selfScrape({ url }: Server): string {
  const target = url.slice('http://'.length);
  return `global: { scrape_interval: 1s }\nscrape_configs: [{ job_name: self, static_configs: [{ targets: ['${target}'] }] }]\n`;
}

/** The first entry of a directory with such a name. */
async function waitFor(dir: string, name: RegExp): Promise<string> {
  const deadline = Date.now() + 300_000;
  for (;;) {
    const found = readdirSync(dir).find((entry) => name.test(entry));
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`nothing like ${name} in ${dir}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
