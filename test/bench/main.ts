/**
 * `npm run bench`: kernels and chunks beside their twins; ingest, replay, compaction and reading beside real Prometheus and
 * VictoriaMetrics; queries, a dashboard and the punctuality of scrapes likewise; the scale example; start-up. One table each.
 *   --only=ingest,scale         parts to run (default: all; see PARTS)
 *   --seconds=60                window of each ingest run
 *   --repeat=1                  ingest runs of each contender, in turns; the medians are printed
 *   --series=100000,50000       ingest sizes, 1,000 series a target
 *   --samples=10000000          samples that are replayed, selected, or read by queries while scrapes go on (jitter)
 *   --targets=1250              of compaction, 80 series each
 *   --sizes=small,large         of the queries: 2,000 series × 6 h, 20,000 series × 2 h
 *   --cases='rate.*24 h'        of the queries those whose title matches this regular expression (query-cases.ts)
 *   --beside=prometheus,victoria-metrics   whom queries and the dashboard are put to as well; empty for none
 *   --services=100 --hours=1,6,24   of the scale example, 800 series a service
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bundlePrograms } from '../tools/bundle.ts';
import { peer } from '../tools/peers.ts';
import { run as runChunks } from './chunks.ts';
import { benchCompaction } from './compaction.ts';
import { agentContender, type Contender, prometheusContender, victoriaMetricsContender } from './contenders.ts';
import { run as runDashboard } from './dashboard.ts';
import { type IngestFigures, run as runIngest } from './ingest.ts';
import { run as runJitter } from './jitter.ts';
import { run as runPrint } from './kernels-print.ts';
import { run as runXor } from './kernels-xor.ts';
import { printDashboard, printJitter } from './lateness-table.ts';
import { SERIES_PER_INSTANCE } from './query-data.ts';
import { printQueries } from './queries-table.ts';
import { run as runQueries } from './queries.ts';
import { run as runReplay } from './replay.ts';
import { printScale } from './scale-table.ts';
import { run as runScale, runPrometheus as runPrometheusScale, type ScaleFigures } from './scale.ts';
import { run as runScan } from './scan.ts';
import { run as runSelect } from './select.ts';
import { run as runServerCompaction } from './server-compaction.ts';
import { run as runStartup } from './startup.ts';
import { type Cell, compared, MB, median, table } from './table.ts';
import { SERIES_PER_TARGET } from './workload.ts';

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  kernels,
  chunks,
  ingest,
  replay,
  compaction,
  select,
  queries,
  dashboard,
  jitter,
  scale,
  startup,
};

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(PARTS).join(',') },
    seconds: { type: 'string', default: '60' },
    repeat: { type: 'string', default: '1' },
    series: { type: 'string', default: '100000,50000' },
    samples: { type: 'string', default: '10000000' },
    targets: { type: 'string', default: '1250' },
    services: { type: 'string', default: '100' },
    hours: { type: 'string', default: '1,6,24' },
    sizes: { type: 'string', default: 'small,large' },
    cases: { type: 'string', default: '' },
    beside: { type: 'string', default: 'prometheus,victoria-metrics' },
  },
});
const SERIES_PER_PAGE = 1_000;
const INTERVAL_SECONDS = 5;
/** Scrapes of the history that is replayed: 25 minutes. */
const REPLAY_SCRAPES = 100;
/** Of a block: two hours at 15 s. */
const BLOCK_SCRAPES = 480;
/** On 2,000 series × 6 h and 20,000 series × 2 h. */
const QUERY_SIZES: Readonly<Record<string, { readonly instances: number; readonly scrapes: number }>> = {
  small: { instances: 10, scrapes: 1440 },
  large: { instances: 100, scrapes: 480 },
};

const parts = flags.only.split(',');
for (const part of parts) if (PARTS[part] === undefined) throw new Error(`--only: no part "${part}"`);
printMachine();
for (const part of parts) await PARTS[part]!();
console.log(`\nload average at the end: ${load()}`);

function printMachine(): void {
  const [cpu] = cpus();
  const kernel = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
  console.log(`${cpus().length} × ${cpu?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${kernel}`);
  console.log(`node ${process.version}; load average ${load()}: other work on the machine blurs the figures`);
}

function load(): string {
  return loadavg()
    .map((value) => value.toFixed(2))
    .join(' ');
}

async function kernels(): Promise<void> {
  const scan = await runScan(10);
  const xor = await runXor(1);
  const print = runPrint(1);
  table('Kernels, ns', [
    ['', 'kernel', 'twin', 'hash'],
    [`scan, line of ${scan.lineSizeBytes} bytes`, ns(scan.kernelNsPerLine), ns(scan.twinNsPerLine), scan.checksum],
    ['XOR encode, sample', ns(xor.encodeNs), ns(xor.twinEncodeNs), xor.hash],
    ['XOR decode, sample', ns(xor.decodeNs), ns(xor.twinDecodeNs), ''],
    ['print, point of a rate', ns(print.kernelNs.rates), ns(print.twinNs.rates), print.hash],
    ['print, point of a counter', ns(print.kernelNs.counters), ns(print.twinNs.counters), ''],
    ['print, point with two decimals', ns(print.kernelNs.decimals), ns(print.twinNs.decimals), ''],
  ]);
  table('Around them', [
    ['text parser, ns per line', ns(scan.parserNsPerLine)],
    ['answer of a range query, ns per point', ns(print.rangeNs)],
    ['answer of an instant query, ns per series', ns(print.instantNs)],
    ['append and commit, ns per sample', ns(xor.appendSnappyNs)],
    ['WAL replay, ns per sample', ns(xor.replayNs)],
    ['WAL, bytes per sample', xor.walBytesPerSample.toFixed(2)],
    [`scrape of ${scan.pageSizeBytes} bytes every 20 ms, storage left out, CPU µs`, scan.cpuMicrosPerScrape],
  ]);
}

// eslint-disable-next-line typescript/require-await
async function chunks(): Promise<void> {
  const figures = runChunks(1);
  table(`Chunks of 120 samples, ns per sample (hash ${figures.hash})`, [
    ['', 'encode', 'decode'],
    ['XOR', ns(figures.xorEncodeNs), ns(figures.xorDecodeNs)],
    ['XOR2', '', ns(figures.xor2DecodeNs)],
    ['histogram of 40 buckets', ns(figures.histogramEncodeNs), ns(figures.histogramDecodeNs)],
    ['float histogram of 40 buckets', ns(figures.floatHistogramEncodeNs), ns(figures.floatHistogramDecodeNs)],
  ]);
}

/** Runs something with the agent's bundle and those peers that are there. */
async function withContenders(
  binaries: readonly ('prometheus' | 'victoria-metrics')[],
  measure: (contenders: readonly Contender[]) => Promise<void>,
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'promlet-bundle-'));
  try {
    await bundlePrograms(dir);
    const contenders: Contender[] = [agentContender(dir)];
    for (const binary of binaries) {
      const path = peer(binary);
      const contender = binary === 'prometheus' ? prometheusContender : victoriaMetricsContender;
      if (path === undefined) console.log(`\n${binary} is missing: npm run peers`);
      else contenders.push(contender(path));
    }
    await measure(contenders);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function ingest(): Promise<void> {
  return withContenders(['prometheus', 'victoria-metrics'], async (contenders) => {
    for (const size of flags.series.split(',')) await ingestAt(Number(size), contenders);
  });
}

async function ingestAt(series: number, contenders: readonly Contender[]): Promise<void> {
  const scale = {
    targets: Math.max(1, Math.round(series / SERIES_PER_PAGE)),
    seriesPerTarget: Math.min(series, SERIES_PER_PAGE),
    intervalSeconds: INTERVAL_SECONDS,
    warmUpIntervals: 3,
    idleSeconds: 3,
    seconds: Number(flags.seconds),
  };
  const runs: IngestFigures[][] = [];
  for (let i = 0; i < Number(flags.repeat); i++) runs.push(await runIngest(scale, contenders));
  const columns = contenders.map((_, i) => runs.map((figures) => figures[i]!));
  const row = (title: string, digits: number, read: (figures: IngestFigures) => number): Cell[] =>
    compared(
      title,
      columns.map((column) => median(column.map(read))),
      digits,
    );
  const size = `${scale.targets} targets × ${scale.seriesPerTarget} series × ${INTERVAL_SECONDS} s`;
  table(`Ingest, ${size}, ${scale.seconds} s × ${flags.repeat}`, [
    ['', ...contenders.map(({ name }) => name), 'ratio of the first two'],
    row('series', 0, (figures) => figures.series),
    row('samples in the window', 0, (figures) => figures.samples),
    row('CPU, µs per sample', 3, (figures) => figures.cpuMicrosPerSample),
    row('RSS idle, MB', 1, (figures) => figures.idleRssBytes / MB),
    row('RSS, MB', 1, (figures) => figures.rssBytes / MB),
    row('RSS at its highest, MB', 1, (figures) => figures.peakRssBytes / MB),
    row('RSS over idle, bytes per series', 0, (figures) => (figures.rssBytes - figures.idleRssBytes) / figures.series),
    row('disk, bytes per sample', 2, (figures) => figures.diskBytesPerSample),
    row('ready after SIGKILL, s', 2, (figures) => figures.readySeconds),
    row('RSS at its highest meanwhile, MB', 1, (figures) => figures.restartPeakRssBytes / MB),
    row('samples lost', 0, (figures) => figures.lostSamples),
  ]);
}

function replay(): Promise<void> {
  return withContenders(['prometheus'], async (contenders) => {
    const targets = Math.max(1, Math.round(Number(flags.samples) / REPLAY_SCRAPES / SERIES_PER_TARGET));
    const figures = await runReplay({ targets, scrapes: REPLAY_SCRAPES, settleSeconds: 20 }, contenders);
    table(`Start-up on the directory of a killed server, ${figures[0]!.samples} samples in the head`, [
      ['', ...figures.map(({ program }) => program), 'ratio'],
      row('ready, s', 2, ({ readySeconds }) => readySeconds),
      row('RSS at its highest, MB', 1, ({ peakRssBytes }) => peakRssBytes / MB),
      row('RSS 20 s later, MB', 1, ({ settledRssBytes }) => settledRssBytes / MB),
      row('highest over later', 2, ({ peakRssBytes, settledRssBytes }) => peakRssBytes / settledRssBytes),
      row('sum(sum_over_time()) over all, ns per sample', 1, ({ selectNsPerSample }) => selectNsPerSample),
    ]);
    function row(title: string, digits: number, read: (one: (typeof figures)[number]) => number): Cell[] {
      return compared(title, figures.map(read), digits);
    }
  });
}

async function compaction(): Promise<void> {
  const targets = Number(flags.targets);
  const steps = await benchCompaction(targets * SERIES_PER_TARGET);
  table(`Compaction alone, ${targets * SERIES_PER_TARGET} series × 2 h × 15 s`, [
    ['', 's', 'CPU s', 'samples', 'bytes per sample', 'RSS idle, MB', 'highest, MB', 'hash'],
    ...Object.entries(steps).map(([name, step]) => [
      name,
      step.seconds.toFixed(2),
      step.cpuSeconds.toFixed(2),
      step.samples,
      (step.blockBytes / step.samples).toFixed(3),
      (step.idleRssBytes / MB).toFixed(1),
      (step.peakRssBytes / MB).toFixed(1),
      step.hash,
    ]),
  ]);
  await withContenders(['prometheus'], async (contenders) => {
    const figures = await runServerCompaction({ targets }, contenders);
    table(`Compaction of the head in the server, ${figures[0]!.samples} samples`, [
      ['', ...figures.map(({ program }) => program), 'ratio'],
      row('block written, s', 2, ({ seconds }) => seconds),
      row('CPU of the server meanwhile, s', 2, ({ cpuSeconds }) => cpuSeconds),
      row('RSS before, MB', 1, ({ rssBytes }) => rssBytes / MB),
      row('RSS at its highest, MB', 1, ({ peakRssBytes }) => peakRssBytes / MB),
      row('block, bytes per sample', 3, ({ blockBytesPerSample }) => blockBytesPerSample),
      row('sum(sum_over_time()) over a quarter, ns per sample', 1, ({ selectNsPerSample }) => selectNsPerSample),
    ]);
    function row(title: string, digits: number, read: (one: (typeof figures)[number]) => number): Cell[] {
      return compared(title, figures.map(read), digits);
    }
  });
}

async function select(): Promise<void> {
  const targets = Math.max(1, Math.round(Number(flags.samples) / BLOCK_SCRAPES / SERIES_PER_TARGET));
  const { samples, headNs, blockNs, sum } = await runSelect(targets, BLOCK_SCRAPES);
  table(`Select and decode ${samples} samples in storage (sum of the newest ${sum})`, [
    ['from the head, ns per sample', ns(headNs)],
    ['from a block, ns per sample', ns(blockNs)],
  ]);
}

async function queries(): Promise<void> {
  const sizes = flags.sizes.split(',').map((name) => {
    const size = QUERY_SIZES[name];
    if (size === undefined) throw new Error(`--sizes: no size "${name}"`);
    return size;
  });
  const titles = new RegExp(flags.cases);
  await withContenders(beside(), async (contenders) => {
    for (const size of sizes) {
      const series = `${size.instances * SERIES_PER_INSTANCE} series × ${size.scrapes / 240} h`;
      const title = `Queries on ${series}: ms to the answer, CPU ms of the server, ratios to Prometheus`;
      printQueries(title, await runQueries({ ...size, titles, minRepeats: 5, maxRepeats: 100 }, contenders));
    }
  });
}

/** The peers that `--beside` names. */
function beside(): readonly ('prometheus' | 'victoria-metrics')[] {
  const names = flags.beside.split(',').filter((name) => name !== '');
  return names.map((name) => {
    if (name !== 'prometheus' && name !== 'victoria-metrics') throw new Error(`--beside: no peer "${name}"`);
    return name;
  });
}

async function dashboard(): Promise<void> {
  const options = { ...QUERY_SIZES['small']!, clients: 8, targets: 20, seriesPerTarget: 100, quietSeconds: 5 };
  await withContenders(beside(), async (contenders) => {
    const title = `Dashboard of 12 queries on 2,000 series × 6 h, ${options.clients} clients, ${options.targets} targets scraped`;
    printDashboard(title, await runDashboard({ ...options, seconds: 10 }, contenders));
  });
}

function jitter(): Promise<void> {
  const historyTargets = Math.max(1, Math.round((4 * Number(flags.samples)) / BLOCK_SCRAPES / SERIES_PER_TARGET));
  const load = { historyTargets, targets: 100, seriesPerTarget: 100 };
  return withContenders(['prometheus'], async (contenders) => {
    const times = { quietSeconds: 5, seconds: 30, compactionWithinSeconds: 300 };
    const figures = await runJitter({ ...load, ...times }, contenders);
    const title = `Scrapes of ${load.targets} targets × ${load.seriesPerTarget} series × 1 s beside a query over ${figures[0]!.samples} samples`;
    printJitter(title, figures);
  });
}

async function scale(): Promise<void> {
  const services = Number(flags.services);
  const options = { services, hours: flags.hours.split(',').map(Number) };
  const ours: ScaleFigures[] = [];
  const theirs: ScaleFigures[] = [];
  const reportTo = (list: ScaleFigures[], who: string) => (figures: ScaleFigures) => {
    console.log(`\nscale, ${who}: ${figures.hours} h of data after ${figures.seconds.toFixed(0)} s of writing`);
    list.push(figures);
  };
  await runScale(options, reportTo(ours, 'promlet'));
  try {
    await runPrometheusScale(options, reportTo(theirs, 'prometheus'));
  } catch (error) {
    console.log(`\nscale: not beside Prometheus: ${error instanceof Error ? error.message : String(error)}`);
  }
  printScale(services, ours, theirs);
}

async function startup(): Promise<void> {
  table('Start-up', [['npm start to the first federated answer, s', (await runStartup()).toFixed(1)]]);
}

function ns(value: number): string {
  return value.toFixed(1);
}
