/**
 * `npm run bench`: kernels beside their twins, ingest beside real Prometheus, start-up; one table each.
 *   --only=kernels,ingest,startup   parts to run (default: all)
 *   --seconds=60                    window of each ingest run
 *   --repeat=1                      ingest runs of each contender, in turns; the medians are printed
 *   --series=100000,50000           ingest sizes, 1,000 series a target
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bundlePrograms } from '../tools/bundle.ts';
import { peer } from '../tools/peers.ts';
import { agentContender, type Contender, type IngestFigures, median, prometheusContender, run } from './ingest.ts';
import { run as runXor } from './kernels-xor.ts';
import { run as runScan } from './scan.ts';
import { run as runStartup } from './startup.ts';

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', default: 'kernels,ingest,startup' },
    seconds: { type: 'string', default: '60' },
    repeat: { type: 'string', default: '1' },
    series: { type: 'string', default: '100000,50000' },
  },
});
const SERIES_PER_TARGET = 1_000;
const INTERVAL_SECONDS = 5;
const MIB = 1024 * 1024;

const parts = flags.only.split(',');
const known: Readonly<Record<string, () => Promise<void>>> = { kernels, ingest, startup };
for (const part of parts) if (known[part] === undefined) throw new Error(`--only: no part "${part}"`);
printMachine();
for (const part of parts) await known[part]!();
console.log(`\nload average at the end: ${load()}`);

function printMachine(): void {
  const [cpu] = cpus();
  const kernel = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
  console.log(`${cpus().length} × ${cpu?.model.trim()}, ${Math.round(totalmem() / MIB / 1024)} GiB, Linux ${kernel}`);
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
  table('Kernels, ns', [
    ['', 'kernel', 'twin', 'hash'],
    [`scan, line of ${scan.lineSizeBytes} bytes`, ns(scan.kernelNsPerLine), ns(scan.twinNsPerLine), scan.checksum],
    ['XOR encode, sample', ns(xor.encodeNs), ns(xor.twinEncodeNs), xor.hash],
    ['XOR decode, sample', ns(xor.decodeNs), ns(xor.twinDecodeNs), ''],
  ]);
  table('Around them', [
    ['text parser, ns per line', ns(scan.parserNsPerLine)],
    ['append and commit, ns per sample', ns(xor.appendSnappyNs)],
    ['WAL replay, ns per sample', ns(xor.replayNs)],
    ['WAL, bytes per sample', xor.walBytesPerSample.toFixed(2)],
    [`scrape of ${scan.pageSizeBytes} bytes every 20 ms, storage left out, CPU µs`, scan.cpuMicrosPerScrape],
  ]);
}

async function ingest(): Promise<void> {
  const prometheus = peer('prometheus');
  if (prometheus === undefined) console.log('\nprometheus is missing: npm run peers');
  const dir = mkdtempSync(join(tmpdir(), 'promlet-bundle-'));
  try {
    await bundlePrograms(dir);
    const contenders: Contender[] = [agentContender(dir)];
    if (prometheus !== undefined) contenders.push(prometheusContender(prometheus));
    for (const size of flags.series.split(',')) await ingestAt(Number(size), contenders);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function ingestAt(series: number, contenders: readonly Contender[]): Promise<void> {
  const scale = {
    targets: Math.max(1, Math.round(series / SERIES_PER_TARGET)),
    seriesPerTarget: Math.min(series, SERIES_PER_TARGET),
    intervalSeconds: INTERVAL_SECONDS,
    idleSeconds: 3,
    seconds: Number(flags.seconds),
  };
  const runs: IngestFigures[][] = [];
  for (let i = 0; i < Number(flags.repeat); i++) runs.push(await run(scale, contenders));
  const columns = contenders.map((_, i) => runs.map((figures) => figures[i]!));
  const of = (read: (figures: IngestFigures) => number): number[] => columns.map((column) => median(column.map(read)));
  const row = (title: string, values: readonly number[], digits: number): Cell[] => [
    title,
    ...values.map((value) => value.toFixed(digits)),
    values.length === 2 ? (values[0]! / values[1]!).toFixed(2) : '',
  ];
  const size = `${scale.targets} targets × ${scale.seriesPerTarget} series × ${INTERVAL_SECONDS} s`;
  table(`Ingest, ${size}, ${scale.seconds} s × ${flags.repeat}`, [
    ['', ...contenders.map(({ name }) => name), 'ratio'],
    row(
      'series',
      of((figures) => figures.series),
      0,
    ),
    row(
      'samples in the window',
      of((figures) => figures.samples),
      0,
    ),
    row(
      'CPU, µs per sample',
      of((figures) => figures.cpuMicrosPerSample),
      3,
    ),
    row(
      'RSS idle, MB',
      of((figures) => figures.idleRssBytes / 1e6),
      1,
    ),
    row(
      'RSS, MB',
      of((figures) => figures.rssBytes / 1e6),
      1,
    ),
    row(
      'RSS at its highest, MB',
      of((figures) => figures.peakRssBytes / 1e6),
      1,
    ),
    row(
      'RSS over idle, bytes per series',
      of((figures) => (figures.rssBytes - figures.idleRssBytes) / figures.series),
      0,
    ),
    row(
      'WAL, bytes per sample',
      of((figures) => figures.walBytesPerSample),
      2,
    ),
  ]);
}

async function startup(): Promise<void> {
  table('Start-up', [['npm start to the first federated answer, s', (await runStartup()).toFixed(1)]]);
}

type Cell = string | number;

/** The first column is left-aligned, numbers to the right. */
function table(title: string, rows: readonly (readonly Cell[])[]): void {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, String(cell).length)));
  console.log(`\n${title}`);
  for (const row of rows) {
    const cells = row.map((cell, i) => (i === 0 ? String(cell).padEnd(widths[i]!) : String(cell).padStart(widths[i]!)));
    console.log(`  ${cells.join('  ').trimEnd()}`);
  }
}

function ns(value: number): string {
  return value.toFixed(1);
}
