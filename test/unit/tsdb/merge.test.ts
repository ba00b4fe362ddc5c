import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '../../../lib/env/index.ts';
import { Annotations, type FloatHistogram, Labels, Matcher, SampleColumns } from '../../../lib/model/index.ts';
import {
  type ChunkSeries,
  collectSeries,
  type Querier,
  type Series,
  type SeriesSet,
} from '../../../lib/storage/index.ts';
import type { Block } from '../../../lib/tsdb/block/block.ts';
import { BlockQuerier } from '../../../lib/tsdb/block/querier.ts';
import { ChunkDecoder } from '../../../lib/chunk/decoder.ts';
import { storedEncoding } from '../../../lib/chunk/raw.ts';
import { mergeQueriers } from '../../../lib/tsdb/merge.ts';
import {
  type Content,
  EVERYTHING,
  expected,
  type Found,
  kernels,
  openBlock,
  read,
  writeBlock,
} from './block/harness.ts';

const ULIDS = ['01HF4K5TZ0000000000000B101', '01HF4K5TZ0000000000000B102', '01HF4K5TZ0000000000000B103'];

/** Samples of every tenth second from one time until another. */
function every10s(fromMs: number, untilMs: number, value: number): [number, number][] {
  const list: [number, number][] = [];
  for (let timeMs = fromMs; timeMs < untilMs; timeMs += 10_000) list.push([timeMs, value]);
  return list;
}

describe('tsdb: merging queriers', function () {
  this.timeout(600_000);
  let dir: string;
  const blocks: Block[] = [];
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-merge-'));
  });
  afterEach(() => {
    for (const block of blocks.splice(0)) block.close();
    rmSync(dir, { recursive: true, force: true });
  });

  async function merged(...contents: Content[]): Promise<Querier> {
    for (const [i, content] of contents.entries())
      blocks.push(openBlock(await writeBlock(dir, content, { ulid: ULIDS[i]! })));
    return mergeQueriers(
      kernels,
      blocks.map((block) => new BlockQuerier(block, -1e15, 1e15)),
    );
  }

  /** What a plain merge of the contents gives; equal times must have equal values. */
  function union(...contents: Content[]): Found {
    const all: Record<string, Map<number, number>> = {};
    for (const content of contents) {
      for (const [series, list] of Object.entries(content)) {
        const samples = (all[series] ??= new Map());
        for (const [timeMs, value] of list) samples.set(timeMs, value);
      }
    }
    return expected(
      Object.fromEntries(
        Object.entries(all).map(([series, samples]) => [series, [...samples].sort(([a], [b]) => a - b)]),
      ),
    );
  }

  it('joins what follows one another in time, in whatever order the queriers are', async () => {
    const contents: Content[] = [
      { 'm a=1': every10s(0, 2e6, 1), 'm a=2': every10s(0, 1e6, 1) },
      { 'm a=1': every10s(2e6, 4e6, 2), 'm a=3': every10s(2e6, 3e6, 2) },
      { 'm a=1': every10s(-1e6, 0, 3), 'l a=1': every10s(0, 10_000, 3) },
    ];
    const querier = await merged(...contents);
    assert.deepEqual(Object.entries(await read(querier)), Object.entries(union(...contents)));
    querier.close();
  });

  it('gives no hashes, which say nothing of series of different blocks', async () => {
    const hints = { startMs: -1e15, endMs: 1e15, hashWithout: new Set(['__name__']) };
    const matchers = [new Matcher('=', 'a', '1')];
    const samples: [number, number][] = [[0, 1]];
    const querier = await merged({ 'l a=1': samples, 'm a=1': samples }, { 'm a=1': samples, 'n a=1': samples });
    const hashes = async (of: Querier): Promise<(number | undefined)[]> =>
      (await collectSeries(await of.select(false, hints, matchers))).map(({ hashWithout }) => hashWithout);
    assert.deepEqual(await hashes(querier), [undefined, undefined, undefined]);
    const single = new BlockQuerier(blocks[0]!, -1e15, 1e15);
    const [one, other] = await hashes(mergeQueriers(kernels, [single]));
    assert.ok(one !== undefined && one === other);
    single.close();
    querier.close();
  });

  it('keeps one of two samples of one time', async () => {
    const one = [0, 10, 20].map((timeMs): [number, number] => [timeMs, 1]);
    const other = [5, 10, 20, 30].map((timeMs): [number, number] => [timeMs, 2]);
    const querier = await merged({ 'm a=1': one }, { 'm a=1': other });
    const found = (await read(querier))['m a=1']!.map(([timeMs, value]) => `${timeMs}: ${value}`);
    assert.match(found.join(', '), /^0: 1, 5: 2, 10: [12], 20: [12], 30: 2$/);
    querier.close();
  });

  it('gives what a plain merge gives for random contents, as samples and as chunks', async () => {
    const random = seededRandom(5);
    for (let round = 0; round < 12; round++) {
      const contents = Array.from({ length: 3 }, (): Content => {
        const content: Record<string, [number, number][]> = {};
        for (let i = 0; i < 40; i++) {
          if (random() < 0.4) continue;
          const from = Math.floor(random() * 300) * 10_000;
          content[`m${i % 3} i=${i}`] = every10s(from, from + 10_000 + Math.floor(random() * 3e6), i)
            .filter(() => random() < 0.8)
            .concat([[1e8, i]]);
        }
        return content;
      });
      const wanted = union(...contents);
      const querier = await merged(...contents);
      assert.deepEqual(Object.entries(await read(querier)), Object.entries(wanted));
      const decoder = new ChunkDecoder(kernels);
      const set = await querier.select(true, { startMs: -1e15, endMs: 1e15 }, EVERYTHING);
      for (const [i, series] of (await collectSeries(set)).entries()) {
        const columns = new SampleColumns();
        let endMs = -Infinity;
        for (const { minTimeMs, maxTimeMs, encoding, bytes } of (series as ChunkSeries).chunks(-1e15, 1e15)) {
          assert.ok(minTimeMs > endMs, 'chunks overlap');
          endMs = maxTimeMs;
          decoder.decode(storedEncoding(encoding), bytes, minTimeMs, maxTimeMs, columns);
        }
        const times = Object.values(wanted)[i]!.map(([timeMs]) => timeMs);
        assert.deepEqual([...columns.timestamps.subarray(0, columns.length)], times);
      }
      decoder.release();
      querier.close();
      for (const block of blocks.splice(0)) block.close();
      rmSync(dir, { recursive: true });
    }
  });

  it('hands on chunks that overlap no other byte for byte, and encodes the others anew', async () => {
    const querier = await merged(
      { 'm a=1': every10s(0, 2_400_000, 1) },
      { 'm a=1': every10s(2_000_000, 3_000_000, 1) },
      { 'm a=1': every10s(5_000_000, 5_010_000, 1) },
    );
    const [series] = await collectSeries(await querier.select(true, { startMs: 0, endMs: 1e15 }, EVERYTHING));
    const chunks = [...(series as ChunkSeries).chunks(0, 1e15)];
    // 120 samples of the first block; 120 and 60 of its rest and the second, merged; the third.
    assert.deepEqual(
      chunks.map(({ minTimeMs, maxTimeMs }) => [minTimeMs, maxTimeMs]),
      [
        [0, 1_190_000],
        [1_200_000, 2_390_000],
        [2_400_000, 2_990_000],
        [5_000_000, 5_000_000],
      ],
    );
    const [alone] = await collectSeries(
      await new BlockQuerier(blocks[0]!, 0, 1e15).select(true, { startMs: 0, endMs: 1e15 }, EVERYTHING),
    );
    const [first] = [...(alone as ChunkSeries).chunks(0, 1)];
    assert.deepEqual(chunks[0], first);
    querier.close();
  });

  it('joins label names and values, sorted and up to a limit', async () => {
    const querier = await merged(
      { 'm a=1 x=1': [[0, 1]], 'm b=1': [[0, 1]] },
      { 'm c=1 x=3': [[0, 1]], 'm a=0 x=2': [[0, 1]] },
    );
    assert.deepEqual((await querier.labelNames({}, [])).values, ['__name__', 'a', 'b', 'c', 'x']);
    assert.deepEqual((await querier.labelNames({ limit: 3 }, [])).values, ['__name__', 'a', 'b']);
    assert.deepEqual((await querier.labelValues('x', {}, [])).values, ['1', '2', '3']);
    assert.deepEqual((await querier.labelValues('x', {}, [new Matcher('=~', 'a', '.+')])).values, ['1', '2']);
    for (const limit of [1, 2, 3, 4]) {
      assert.deepEqual((await querier.labelValues('x', { limit }, [])).values, ['1', '2', '3'].slice(0, limit));
    }
    // What only one of them has comes as that has it.
    const { values, packed } = await querier.labelValues('b', {}, []);
    assert.deepEqual([values, packed?.strings()], [['1'], ['1']]);
    assert.deepEqual((await querier.labelValues('none', {}, [])).values, []);
    querier.close();
  });

  it('gives at most as many series as asked for, and fewer only when there are no more', async () => {
    const content = (prefix: string): Content =>
      Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`m a=${prefix}${i}`, [[0, i]] as const]));
    const querier = await merged(content('x'), content('y'));
    for (const limit of [1, 511, 512, 513, 1024, 2999, 3000, 4000]) {
      const found = Object.keys(await read(querier, EVERYTHING, { limit }));
      assert.equal(found.length, Math.min(limit, 3000));
      assert.equal(new Set(found).size, found.length);
    }
    querier.close();
  });

  it('is the querier itself when there is but one', async () => {
    blocks.push(openBlock(await writeBlock(dir, { m: [[0, 1]] })));
    const one = new BlockQuerier(blocks[0]!, 0, 1);
    assert.equal(mergeQueriers(kernels, [one]), one);
    one.close();
    const none = mergeQueriers(kernels, []);
    assert.deepEqual(await read(none), {});
    none.close();
  });

  describe('of doubles', () => {
    class Double implements Querier {
      closed = 0;
      readonly #batches: readonly (readonly Series[])[];
      constructor(...batches: readonly Series[][]) {
        this.#batches = batches;
      }
      // eslint-disable-next-line typescript/require-await
      async select(): Promise<SeriesSet> {
        const annotations = new Annotations();
        const batches = this.#batches;
        return {
          annotations,
          batches: (async function* () {
            for (const batch of batches) {
              const given = [...batch];
              yield given;
              // As the contract has it: gone when the next is asked for.
              given.length = 0;
            }
            annotations.warn(`after ${batches.length}`);
          })(),
        };
      }
      labelNames(): never {
        throw new Error('not asked for');
      }
      labelValues(): never {
        throw new Error('not asked for');
      }
      close(): void {
        this.closed++;
      }
    }

    const series = (a: number, histograms: [number, FloatHistogram['counterResetHint']][] = []): Series => ({
      labels: Labels.of({ a: String(a) }),
      read(into) {
        for (const [timeMs, counterResetHint] of histograms)
          into.pushHistogram(timeMs, { counterResetHint } as FloatHistogram);
      },
    });

    it('asks for a batch only when all of the last was given out, and passes annotations on', async () => {
      const doubles = [
        new Double([series(1), series(3)], [], [series(4), series(9)]),
        new Double([series(2)], [series(3), series(5)], [series(8)]),
      ];
      const querier = mergeQueriers(kernels, doubles);
      const set = await querier.select(false, { startMs: 0, endMs: 1 }, []);
      const found: string[][] = [];
      for await (const batch of set.batches) found.push(batch.map(({ labels }) => labels.get('a')));
      assert.deepEqual(found.flat(), ['1', '2', '3', '4', '5', '8', '9']);
      assert.deepEqual(set.annotations.warnings, ['after 3']);
      querier.close();
      assert.deepEqual(
        doubles.map(({ closed }) => closed),
        [1, 1],
      );
    });

    it('says that it does not know of counter resets between what different queriers gave', async () => {
      const hints = async (...lists: [number, FloatHistogram['counterResetHint']][][]): Promise<string[]> => {
        const querier = mergeQueriers(
          kernels,
          lists.map((list) => new Double([series(1, list)])),
        );
        const [one] = await collectSeries(await querier.select(true, { startMs: 0, endMs: 1 }, []));
        const columns = new SampleColumns();
        columns.push(-1, 1);
        one!.read(columns);
        columns.push(1e9, 1);
        return Array.from(
          { length: columns.length },
          (_, i) => columns.histograms?.[i]?.counterResetHint ?? 'float',
        ).slice(1, -1);
      };
      const inOrder = await hints(
        [
          [0, 'reset'],
          [1, 'not_reset'],
        ],
        [
          [2, 'reset'],
          [3, 'not_reset'],
          [4, 'reset'],
        ],
      );
      assert.deepEqual(inOrder, ['unknown', 'not_reset', 'unknown', 'not_reset', 'reset']);
      const mixed = await hints(
        [
          [0, 'reset'],
          [2, 'not_reset'],
        ],
        [
          [1, 'not_reset'],
          [3, 'gauge'],
        ],
      );
      assert.deepEqual(mixed, ['unknown', 'unknown', 'unknown', 'gauge']);
    });
  });
});
