import assert from 'node:assert/strict';
import { createLogger, type FileSystem, seededRandom } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { Labels, Matcher, PromletError } from '../../lib/model/index.ts';
import { openTsdb, type Tsdb } from '../../lib/tsdb/index.ts';
import { appendCommit } from '../tools/demo-commits.ts';
import type { WrittenSeries } from '../tools/remote-write.ts';
import { countSamples, type Dump, dumpOf, floatText, histogramText } from '../tools/samples.ts';
import { type Damage, flips, truncations, zeroTails } from './damage.ts';
import { Machine } from './file-system.ts';
import { FakeClock, settled } from './model/fake-clock.ts';
import { START_MS, valueOf } from './model/operations.ts';

/** Set to `all`, every byte of every kind is tried; else every byte of the smallest and some of the others. */
const ALL = process.env['PROMLET_FAULTS'] === 'all';
const MOST_TRIED = ALL ? Infinity : 200;
/** block-damage.test.ts tries every byte of a block. */
const MOST_TRIED_OF_A_BLOCK = ALL ? Infinity : 40;
const BLOCK_MS = 10_000;
const WINDOW_MS = 40_000;
const SERIES = ['a', 'b', 'c', 'h'].map((name) => Labels.of({ __name__: 'damage', series: name }));
const END_MS = START_MS + 60_000;

type Files = ReadonlyMap<string, Uint8Array>;

/** Of the names of blocks. */
const random = seededRandom(1);

function open(fileSystem: FileSystem, reports: string[] = []): Promise<Tsdb> {
  const report = (fields: object, message: string): void => void reports.push(`${message} ${JSON.stringify(fields)}`);
  return openTsdb({
    dir: '/data',
    fileSystem,
    clock: new FakeClock(END_MS),
    logger: {
      ...createLogger('silent'),
      warn: report,
      error: report,
      info: report,
    },
    kernels: createKernels(),
    minBlockDurationMs: BLOCK_MS,
    outOfOrderWindowMs: WINDOW_MS,
    retention: { timeMs: 0 },
    random,
  });
}

function commitAt(timeMs: number, which = SERIES): WrittenSeries[] {
  const seen = Math.floor((timeMs - START_MS) / 1000);
  return which.map((labels) => {
    const histogram = valueOf({ kind: 'integer', seen });
    return labels.get('series') === 'h' && typeof histogram !== 'number'
      ? { labels, histograms: [[timeMs, histogram]] }
      : { labels, samples: [[timeMs, seen * 1.5]] };
  });
}

describe('a database with a damaged file', function () {
  this.timeout(ALL ? 3_600_000 : 600_000);
  let files: Files;
  let whole: Dump;
  /** Every sample that was ever committed, those that were deleted included. */
  const ever = new Map<string, Map<number, string>>();
  /** Times of the samples that came out of order and lie in no block. */
  const late = new Set<number>();
  let blockRanges: Map<string, readonly [minMs: number, maxMs: number]>;

  /** Blocks with tombstones, a checkpoint, two segments, head chunks, and samples out of order. */
  before(async () => {
    const machine = new Machine();
    machine.put([['/data/placeholder', new Uint8Array(0)]]);
    let db = await open(machine.boot());
    const commit = async (written: WrittenSeries[]): Promise<void> => {
      assert.equal(await appendCommit(db, written), 0);
      for (const { labels, samples = [], histograms = [] } of written) {
        const key = labels.toString();
        if (!ever.has(key)) ever.set(key, new Map());
        for (const [timeMs, value] of samples) ever.get(key)!.set(timeMs, floatText(value));
        for (const [timeMs, value] of histograms) ever.get(key)!.set(timeMs, histogramText(value));
      }
    };
    for (let timeMs = START_MS; timeMs < END_MS; timeMs += 2000) {
      await commit(commitAt(timeMs));
      const step = (timeMs - START_MS) / 2000;
      if (step % 4 === 3) {
        await db.close();
        db = await open(machine.boot());
      }
      if (step === 20 || step === 26) await db.compact();
    }
    await db.deleteSeries(START_MS, START_MS + 5000, [new Matcher('=', 'series', 'a')]);
    await db.deleteSeries(END_MS - 5000, END_MS - 3000, [new Matcher('=', 'series', 'b')]);
    for (let timeMs = END_MS - 5999; timeMs < END_MS - 2000; timeMs += 1000) {
      await commit(commitAt(timeMs, SERIES.slice(0, 3)));
      late.add(timeMs);
    }
    whole = await dumpOf(db);
    machine.crash();
    await settled();
    await db.close().catch(() => undefined);
    files = machine.disk.files();
    blockRanges = new Map(
      [...files]
        .filter(([path]) => path.endsWith('/meta.json'))
        .map(([path, bytes]) => {
          const { minTime, maxTime } = JSON.parse(Buffer.from(bytes).toString()) as {
            minTime: number;
            maxTime: number;
          };
          return [path.slice(0, -'meta.json'.length), [minTime, maxTime]];
        }),
    );
    assert.ok(countSamples(whole) > 100);
    assert.ok(blockRanges.size >= 2);
  });

  /** Paths of the files of a kind, the smallest that holds something first. */
  function pathsOf(pattern: RegExp | 'last'): string[] {
    if (pattern === 'last')
      return [
        pathsOf(/\/wal\/\d{8}$/)
          .sort()
          .at(-1)!,
      ];
    const found = [...files].filter(([path, bytes]) => pattern.test(path) && bytes.length > 20);
    assert.ok(found.length > 0, `no ${pattern} in ${[...files.keys()].join(' ')}`);
    return found.sort(([, a], [, b]) => a.length - b.length).map(([path]) => path);
  }

  /** Opens what is left, and checks all that must hold whatever was damaged. */
  async function survives(damaged: Files, what: string, mustKeep: (timeMs: number) => boolean): Promise<Outcome> {
    const machine = new Machine();
    machine.put(damaged);
    const reports: string[] = [];
    let db: Tsdb;
    try {
      db = await open(machine.boot(), reports);
    } catch (error) {
      throw new Error(`${what}: does not open: ${error instanceof Error ? error.stack : String(error)}`, {
        cause: error,
      });
    }
    try {
      const found = await read(db, what);
      for (const [labels, samples] of Object.entries(found)) {
        for (const [timeMs, text] of samples) {
          assert.equal(text, ever.get(labels)?.get(timeMs), `${what}: ${labels} at ${timeMs}: a wrong sample`);
        }
      }
      let lost = 0;
      for (const [labels, samples] of Object.entries(whole)) {
        const times = new Set(found[labels]?.map(([timeMs]) => timeMs));
        for (const [timeMs] of samples) {
          if (times.has(timeMs)) continue;
          lost++;
          assert.ok(!mustKeep(timeMs), `${what}: ${labels} lost its sample at ${timeMs}\n${reports.join('\n')}`);
        }
      }
      // It goes on: new samples are taken, and are there after a restart with all the others.
      assert.equal(await appendCommit(db, commitAt(END_MS + 1000)), 0, what);
      const after = await read(db, what);
      await db.close();
      assert.deepEqual(machine.openPaths, [], `${what}: left open`);
      db = await open(machine.boot());
      assert.deepEqual(await read(db, what), after, `${what}: after a restart`);
      return { lost, reports, files: machine.disk.files() };
    } finally {
      await db.close();
    }
  }

  interface Outcome {
    readonly lost: number;
    readonly reports: readonly string[];
    /** After it was opened, used and opened again. */
    readonly files: Files;
  }

  /** All that can be read: of a block that fails when it is read, the rest. */
  async function read(db: Tsdb, what: string): Promise<Dump> {
    try {
      return await dumpOf(db);
    } catch {
      return readPieces(db, what);
    }
  }

  async function readPieces(db: Tsdb, what: string): Promise<Dump> {
    const out: Dump = {};
    for (const labels of SERIES) {
      // A range at a time: one chunk that cannot be read is an error of its own range only.
      for (let fromMs = START_MS; fromMs < END_MS + 10_000; fromMs += 2000) {
        const matchers = [new Matcher('=', 'series', labels.get('series'))];
        try {
          for (const [key, samples] of Object.entries(await dumpOf(db, matchers, fromMs, fromMs + 1999))) {
            (out[key] ??= []).push(...samples);
          }
        } catch (error) {
          if (!(error instanceof PromletError)) throw new Error(`${what}: ${String(error)}`, { cause: error });
          assert.match(error.code, /^storage\//, what);
        }
      }
    }
    return out;
  }

  const inBlocks = (timeMs: number): boolean =>
    [...blockRanges.values()].some(([minMs, maxMs]) => timeMs >= minMs && timeMs < maxMs);
  const kinds: {
    readonly name: string;
    readonly pattern: RegExp | 'last';
    readonly keeps: (path: string) => (timeMs: number) => boolean;
    /** A file that ends early may look as if it had never been longer. */
    readonly endsAnywhere: boolean;
  }[] = [
    { name: 'last log segment', pattern: 'last', keeps: () => inBlocks, endsAnywhere: true },
    {
      name: 'log segment',
      pattern: /\/wal\/\d{8}$/,
      keeps: () => inBlocks,
      endsAnywhere: true,
    },
    {
      name: 'checkpoint',
      pattern: /\/checkpoint\.\d+\/\d{8}$/,
      keeps: () => inBlocks,
      endsAnywhere: true,
    },
    {
      name: 'out-of-order log',
      pattern: /\/wbl\/\d{8}$/,
      keeps: () => (timeMs) => !late.has(timeMs),
      endsAnywhere: true,
    },
    {
      name: 'head chunk file',
      pattern: /\/chunks_head\/\d{6}$/,
      keeps: () => () => true,
      endsAnywhere: true,
    },
    ...['index', 'chunks/000001', 'tombstones', 'meta.json'].map((file) => ({
      name: `block's ${file}`,
      pattern: new RegExp(`/[0-9A-Z]{26}/${file}$`),
      keeps: (path: string) => {
        const [minMs, maxMs] = blockRanges.get(path.slice(0, -file.length))!;
        return (timeMs: number): boolean => timeMs < minMs || timeMs >= maxMs;
      },
      endsAnywhere: false,
    })),
  ];

  for (const { name, pattern, keeps, endsAnywhere } of kinds) {
    const damages: readonly (readonly [what: string, make: (good: Buffer) => Generator<Damage>])[] = [
      ['cut off anywhere', truncations],
      ['with a flipped bit in any byte', (good) => flips(good, seededRandom(1))],
      ['with zeros for its tail', (good) => zeroTails(good, 16)],
    ];
    for (const [what, make] of damages) {
      it(`loses no more than was in it, says so and keeps it: ${name} ${what}`, async () => {
        const [path] = pathsOf(pattern);
        const good = Buffer.from(files.get(path!)!);
        const all = [...make(good)];
        const most = endsAnywhere ? MOST_TRIED : MOST_TRIED_OF_A_BLOCK;
        const every = Math.max(1, all.length / most);
        for (let i = 0; i < all.length; i += every) {
          const { bytes, what: which } = all[Math.floor(i)]!;
          const label = `${path} ${which}`;
          // It has no checksum: a digit of a time may have become another.
          const isBelieved = path!.endsWith('meta.json') && what === 'with a flipped bit in any byte';
          const mustKeep = isBelieved ? (): boolean => false : keeps(path!);
          const outcome = await survives(new Map(files).set(path!, bytes), label, mustKeep);
          if (isBelieved) continue;
          const isKept = [...outcome.files.values()].some((kept) => Buffer.compare(kept, bytes) === 0);
          const isShorter = what !== 'with a flipped bit in any byte';
          if (outcome.lost > 0 && !(endsAnywhere && isShorter)) {
            assert.ok(outcome.reports.length > 0, `${label}: ${outcome.lost} samples lost without a word`);
            // The length of the last record, reaching beyond the end of the log, looks like a write that was cut off.
            const isTorn = outcome.reports.some((report) => report.includes('"torn":true'));
            assert.ok(isKept || isTorn, `${label}: the damaged file is gone`);
          }
        }
      });
    }
  }

  it('does without a log segment, with two that changed places, and with ones of later versions', async () => {
    const segments = pathsOf(/\/wal\/\d{8}$/).sort();
    assert.ok(segments.length >= 2);
    const [first, second] = segments as [string, string];
    const without = new Map(files);
    without.delete(first);
    await survives(without, 'a gap in the log', inBlocks);
    const swapped = new Map(files).set(first, files.get(second)!).set(second, files.get(first)!);
    await survives(swapped, 'swapped segments', inBlocks);
    for (const pattern of [/\/chunks_head\/\d{6}$/, /\/index$/, /\/tombstones$/, /\/chunks\/000001$/]) {
      const [path] = pathsOf(pattern);
      const later = Buffer.from(files.get(path!)!);
      later[4] = 7;
      const block = [...blockRanges].find(([dir]) => path!.startsWith(dir))?.[1] ?? [0, 0];
      const keeps = (timeMs: number): boolean => timeMs < block[0] || timeMs >= block[1];
      const outcome = await survives(new Map(files).set(path!, later), `${path} of version 7`, keeps);
      assert.ok(outcome.reports.length > 0);
      assert.ok([...outcome.files.values()].some((kept) => Buffer.compare(kept, later) === 0));
    }
  });

  for (const obstacle of ['directory', 'dangling symlink'] as const) {
    it(`does with a ${obstacle} where a file belongs`, async () => {
      for (const { name, pattern, keeps } of kinds) {
        const [path] = pathsOf(pattern);
        const machine = new Machine();
        const left = new Map(files);
        left.delete(path!);
        machine.put(left);
        const put = machine.boot() as FileSystem & {
          symlinkSync(target: string, path: string): void;
        };
        put.mkdirSync(path!.slice(0, path!.lastIndexOf('/')), { recursive: true });
        if (obstacle === 'directory') put.mkdirSync(path!);
        else put.symlinkSync('nowhere', path!);
        const reports: string[] = [];
        const db = await open(machine.boot(), reports);
        try {
          const found = await read(db, name);
          for (const [labels, samples] of Object.entries(whole)) {
            const times = new Set(found[labels]?.map(([timeMs]) => timeMs));
            for (const [timeMs] of samples) {
              assert.ok(times.has(timeMs) || !keeps(path!)(timeMs), `${path}: ${labels} at ${timeMs}`);
            }
          }
          assert.ok(reports.length > 0, name);
          assert.equal(await appendCommit(db, commitAt(END_MS + 1000)), 0);
        } finally {
          await db.close();
        }
      }
    });
  }
});
