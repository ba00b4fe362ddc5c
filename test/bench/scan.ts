/**
 * Exposition: nanoseconds per line of a known page (kernel, its twin, the full parser) and CPU microseconds for one
 * scrape of such a page over HTTP into storage that keeps nothing. Alone: `node test/bench/scan.ts [scale]`.
 */
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { ScrapeManager } from '../../agent/scrape/index.ts';
import { ExpositionParser } from '../../agent/scrape/exposition.ts';
import { ScanScratch } from '../../agent/scrape/scan-scratch.ts';
import { ScrapeCache } from '../../agent/scrape/scrape-cache.ts';
import { createLogger, seededRandom, systemClock } from '../../lib/env/index.ts';
import { createKernels, type Kernels, scanLayout as layout } from '../../lib/kernels/index.ts';
import { scanPageTwin } from '../../lib/kernels/twins/scan.ts';
import { AppendResult, type Appendable, type Appender } from '../../lib/storage/index.ts';
import { scrapeConfig, targetGroup } from '../unit/scrape/fixtures.ts';

export interface ScanBench {
  readonly lineSizeBytes: number;
  readonly pageSizeBytes: number;
  readonly kernelNsPerLine: number;
  readonly twinNsPerLine: number;
  readonly parserNsPerLine: number;
  readonly cpuMicrosPerScrape: number;
  /** Sum of all values of the page, the same for all three. */
  readonly checksum: number;
}

const LINES = 1000;

/** Lines of about 146 bytes, as an HTTP server exposes them, with a HELP and a TYPE line for every 50. */
export function samplePage(lines: number): string {
  let page = '';
  for (let i = 0; i < lines; i++) {
    if (i % 50 === 0) {
      page += `# HELP http_request_duration_seconds_${i} Time from the first byte to the last.\n`;
      page += `# TYPE http_request_duration_seconds_${i} gauge\n`;
    }
    const path = `/api/v1/resource/${String(i).padStart(6, '0')}`;
    page += `http_request_duration_seconds_bucket{handler="${path}",method="GET",status="200",instance_group="group-${i % 10}",bound="${i % 50}"} `;
    page += `${i % 3 === 0 ? (i * 1.37).toFixed(3) : i * 12_347}\n`;
  }
  return page;
}

/** @param scale 1 is a short run; more repeats the measured loops */
export async function run(scale: number): Promise<ScanBench> {
  const kernels = createKernels();
  const text = Buffer.from(`${samplePage(LINES)}\n`);
  const page = kernels.arena.allocate(text.length + 16);
  kernels.arena.u8.set(text, page);
  const known = knownPage(kernels, page, text.length);
  const rounds = Math.max(3, Math.round(300 * scale));
  const kernelNsPerLine = time(rounds, () => known.walk(() => kernels.wasm.scanPage(known.state)));
  const checksum = known.checksum();
  const twinNsPerLine = time(Math.ceil(rounds / 100), () => known.walk(() => scanPageTwin(kernels.arena, known.state)));
  const parserNsPerLine = time(Math.ceil(rounds / 10), () => parseAll(kernels.arena.u8, page, text.length));
  if (known.checksum() !== checksum) throw new Error('kernel and twin disagree');
  return {
    lineSizeBytes: Math.round(text.length / LINES),
    pageSizeBytes: text.length,
    kernelNsPerLine,
    twinNsPerLine,
    parserNsPerLine,
    cpuMicrosPerScrape: await measureScrapes(text.subarray(0, -1), Math.max(3, Math.round(40 * scale))),
    checksum,
  };
}

interface KnownPage {
  readonly state: number;
  walk(scan: () => number): void;
  checksum(): number;
}

/** A cache that has seen the page, and its kernel state to walk it again. */
function knownPage(kernels: Kernels, page: number, length: number): KnownPage {
  const scratch = new ScanScratch(kernels, seededRandom(1));
  const cache = new ScrapeCache(scratch);
  let series = 0;
  const sink = { resolve: () => ++series, timestamped: () => true };
  const options = { honorTimestamps: true, trackTimestampsStaleness: false };
  for (let i = 0; i < 2; i++) {
    cache.begin(page, length);
    cache.read(options, sink, () => false);
    cache.accept();
  }
  const records = scratch.get(layout.STATE_RECORDS_END) - cache.size * layout.RECORD_BYTES;
  let number = 1000;
  return {
    state: scratch.state,
    walk(scan) {
      scratch.begin(page, page + length, ++number);
      scratch.set(layout.STATE_RECORD, records);
      if (scan() !== 1) throw new Error('the walk stopped');
    },
    checksum: () => scratch.valueColumn.subarray(0, scratch.count).reduce((sum, value) => sum + value, 0),
  };
}

function parseAll(bytes: Uint8Array, start: number, length: number): void {
  const parser = new ExpositionParser();
  parser.reset(bytes, start, start + length);
  for (let entry = parser.next(); entry !== 'end'; entry = parser.next()) if (entry === 'series') parser.labels();
}

/** @returns nanoseconds per line, the best third of the rounds */
function time(rounds: number, work: () => void): number {
  const took: number[] = [];
  for (let i = 0; i < rounds + 2; i++) {
    const before = performance.now();
    work();
    if (i >= 2) took.push(performance.now() - before);
  }
  took.sort((a, b) => a - b);
  const best = took.slice(0, Math.ceil(took.length / 3));
  return Math.round((best.reduce((sum, ms) => sum + ms, 0) / best.length / LINES) * 1e6 * 10) / 10;
}

/** The target, on a thread of its own so that its CPU is not counted. */
const TARGET = `
const { parentPort, workerData } = require('node:worker_threads');
const server = require('node:http').createServer((request, response) => {
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': workerData.length }).end(workerData);
});
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

/** @returns CPU microseconds of this thread per scrape: request, read, scan and append */
async function measureScrapes(body: Uint8Array, scrapes: number): Promise<number> {
  const worker = new Worker(TARGET, { eval: true, workerData: body });
  const [port] = (await once(worker, 'message')) as [number];
  let commits = 0;
  let series = 0;
  let done: () => void = () => undefined;
  let before = process.threadCpuUsage();
  const warmUp = 5;
  const appender: Appender = {
    series: () => ++series,
    append: () => AppendResult.ok,
    appendColumns: () => 0,
    appendHistogram: () => AppendResult.ok,
    appendExemplar: () => AppendResult.ok,
    updateMetadata: () => AppendResult.ok,
    commit: async () => {
      if (++commits === warmUp) before = process.threadCpuUsage();
      if (commits === warmUp + scrapes) done();
    },
    rollback: () => undefined,
  };
  const appendable: Appendable = { appender: () => appender };
  const manager = new ScrapeManager({
    kernels: createKernels(),
    appendable,
    clock: systemClock,
    logger: createLogger('silent'),
    random: seededRandom(1),
    version: '0.0.0',
    offsetSeed: '',
    externalHost: '',
  });
  const finished = new Promise<void>((resolve) => {
    done = resolve;
  });
  manager.applyConfig([scrapeConfig({ scrape_interval: 20, scrape_timeout: 20 })]);
  manager.setTargetGroups('test', [targetGroup([`127.0.0.1:${port}`])]);
  await finished;
  const { user, system } = process.threadCpuUsage(before);
  manager.stop();
  await worker.terminate();
  return Math.round((user + system) / scrapes);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.log(await run(Number(process.argv[2] ?? 10)));
}
