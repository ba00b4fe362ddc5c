/**
 * Compaction: a head of many series written as a block, then three such blocks made into one, then two that overlap merged,
 * each in a process of its own for its memory. Alone: `node test/bench/compaction.ts [series] [hours]`.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { nodeFileSystem, seededRandom } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { compareUtf8, Labels, SampleColumns } from '../../lib/model/index.ts';
import type { BlockMeta } from '../../lib/tsdb/block/meta.ts';
import { PageCache } from '../../lib/tsdb/block/page-cache.ts';
import type { Chunk } from '../../lib/chunk/chunk.ts';
import { encodeSamples } from '../../lib/chunk/encode.ts';
import { runJob } from '../../lib/tsdb/compact/job.ts';
import { compactedMeta, headBlockMeta } from '../../lib/tsdb/compact/new-meta.ts';
import { flatOut } from '../../lib/tsdb/pace.ts';
import type { CompactionSource } from '../../lib/tsdb/compact/source.ts';
import { writeBlock } from '../../lib/tsdb/compact/write-block.ts';
import { memory } from './proc.ts';

const run = promisify(execFile);
const HOUR_MS = 3_600_000;
const BLOCK_MS = 2 * HOUR_MS;
const STEP_MS = 15_000;
const START_MS = 1_699_920_000_000;
/** Series whose values differ; more repeat them under other labels. */
const DISTINCT_SERIES = 64;

export interface CompactionStep {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly samples: number;
  readonly blockBytes: number;
  /** Highest of the process, and before it began. */
  readonly peakRssBytes: number;
  readonly idleRssBytes: number;
  /** Of the index and the chunks that came of it. */
  readonly hash: string;
}

export interface CompactionBench {
  readonly head: CompactionStep;
  readonly adjacent: CompactionStep;
  readonly overlapping: CompactionStep;
}

type Task = { readonly dir: string; readonly series: number } & (
  | { readonly kind: 'head'; readonly name: string; readonly block: number; readonly shiftMs: number }
  | { readonly kind: 'blocks'; readonly name: string; readonly parents: readonly BlockMeta[] }
);

/** @param series in each block of 2 h at 15 s */
export async function benchCompaction(series: number): Promise<CompactionBench> {
  const dir = mkdtempSync(join(tmpdir(), 'promlet-compaction-'));
  try {
    const write = (name: string, block: number, shiftMs = 0): Promise<Outcome> =>
      inProcess({ kind: 'head', dir, series, name, block, shiftMs });
    const compact = (name: string, parents: readonly BlockMeta[]): Promise<Outcome> =>
      inProcess({ kind: 'blocks', dir, series, name, parents });
    const first = await write('1', 0);
    const adjacent = [first, await write('2', 1), await write('3', 2)];
    const overlapping = [first, await write('4', 0, 1)];
    return {
      head: first.step,
      adjacent: (
        await compact(
          '5',
          adjacent.map(({ meta }) => meta),
        )
      ).step,
      overlapping: (
        await compact(
          '6',
          overlapping.map(({ meta }) => meta),
        )
      ).step,
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

interface Outcome {
  readonly meta: BlockMeta;
  readonly step: CompactionStep;
}

async function inProcess(task: Task): Promise<Outcome> {
  const { stdout } = await run(process.execPath, [fileURLToPath(import.meta.url), JSON.stringify(task)], {
    maxBuffer: 1 << 24,
  });
  return JSON.parse(stdout) as Outcome;
}

/** What the process does that is started for a task. */
async function perform(task: Task): Promise<Outcome> {
  const kernels = createKernels();
  const { dir } = task;
  const ulid = task.name.padStart(26, '0');
  const idleRssBytes = process.memoryUsage.rss();
  const started = performance.now();
  const cpu = process.cpuUsage();
  let meta: BlockMeta | undefined;
  if (task.kind === 'head') {
    const fromMs = START_MS + task.block * BLOCK_MS;
    meta = await writeBlock({
      dir,
      meta: headBlockMeta(ulid, fromMs, fromMs + BLOCK_MS),
      sources: [syntheticHead(task.series, fromMs, task.shiftMs)],
      fileSystem: nodeFileSystem,
      kernels,
      pace: flatOut,
    });
  } else {
    const cache = new PageCache({ fileSystem: nodeFileSystem, kernels, maxBytes: 4 << 20 });
    const sources = task.parents.map((parent) => ({ kind: 'block', dir: join(dir, parent.ulid) }) as const);
    meta = await runJob({ dir, meta: compactedMeta(ulid, task.parents), sources }, { cache, pace: flatOut });
  }
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  // The kernel keeps the peak in steps, so that it may lie below what was read a moment before.
  const peakRssBytes = Math.max(memory(process.pid).peakRssBytes, idleRssBytes);
  const segments = readdirSync(join(dir, ulid, 'chunks')).sort((a, b) => (a < b ? -1 : 1));
  const files = ['index', ...segments.map((name) => join('chunks', name))].map((name) => join(dir, ulid, name));
  return {
    meta: meta!,
    step: {
      seconds,
      cpuSeconds: (user + system) / 1e6,
      samples: meta!.stats.numSamples!,
      blockBytes: files.reduce((sum, path) => sum + statSync(path).size, 0),
      peakRssBytes,
      idleRssBytes,
      hash: files
        .reduce((hash, path) => hash.update(readFileSync(path)), createHash('sha256'))
        .digest('hex')
        .slice(0, 16),
    },
  };
}

/** Series of 100 metrics on 10 jobs, 480 samples in 4 chunks each: half counters, half gauges. */
function syntheticHead(count: number, fromMs: number, shiftMs: number): CompactionSource {
  const kernels = createKernels();
  const random = seededRandom(fromMs % 1_000_000);
  const chunks = Array.from({ length: DISTINCT_SERIES }, (_, i) => chunksOf(kernels, random, i, fromMs, shiftMs));
  const perMetric = Math.ceil(count / 100);
  const labels = (i: number): Labels => {
    const metric = `http_server_metric_${String(Math.floor(i / perMetric)).padStart(3, '0')}_total`;
    const pod = i % perMetric;
    const text = String(pod).padStart(5, '0');
    return new Labels([
      '__name__',
      metric,
      'instance',
      `10.0.${pod >> 8}.${pod & 255}:9090`,
      'job',
      `job-${pod % 10}`,
      'pod',
      `pod-${text}`,
    ]);
  };
  const order = Array.from({ length: count }, (_, i) => i).sort((a, b) => labels(a).compare(labels(b)));
  return {
    minTimeMs: fromMs,
    maxTimeMs: fromMs + BLOCK_MS,
    symbols: () => [...new Set(order.flatMap((i) => labels(i).pairs))].sort(compareUtf8),
    *series() {
      for (const i of order) yield { labels: labels(i), chunks: chunks[i % DISTINCT_SERIES]!, deleted: [] };
    },
  };
}

function chunksOf(
  kernels: ReturnType<typeof createKernels>,
  random: () => number,
  index: number,
  fromMs: number,
  shiftMs: number,
): Chunk[] {
  const columns = new SampleColumns();
  let value = 0;
  for (let timeMs = fromMs + shiftMs; timeMs < fromMs + BLOCK_MS; timeMs += STEP_MS) {
    value = index % 2 === 0 ? value + Math.floor(random() * 200) : Math.round(random() * 1e4) / 100;
    columns.push(timeMs + Math.floor(random() * 3), value);
  }
  return encodeSamples(kernels, columns, 0, columns.length);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [argument = '100000'] = process.argv.slice(2);
  if (argument.startsWith('{')) console.log(JSON.stringify(await perform(JSON.parse(argument) as Task)));
  else console.table(await benchCompaction(Number(argument)));
}
