import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeFileSystem, seededRandom } from '../../../../lib/env/index.ts';
import { compareUtf8, Labels, Matcher, type MatchType, SampleColumns } from '../../../../lib/model/index.ts';
import { type ChunkSeries, collectSeries, type RawChunk } from '../../../../lib/storage/index.ts';
import type { Block } from '../../../../lib/tsdb/block/block.ts';
import { BlockWriter } from '../../../../lib/tsdb/block/block-writer.ts';
import { BlockQuerier } from '../../../../lib/tsdb/block/querier.ts';
import { ChunkDecoder } from '../../../../lib/chunk/decoder.ts';
import { encodeSamples } from '../../../../lib/chunk/encode.ts';
import { storedEncoding } from '../../../../lib/chunk/raw.ts';
import { parse } from '../harness.ts';
import {
  type Content,
  EVERYTHING,
  expected,
  kernels,
  metaOf,
  openBlock,
  read,
  samples,
  textOfLabels,
  ULID,
  writeBlock,
} from './harness.ts';

describe('tsdb: querying a block', function () {
  this.timeout(600_000);
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-query-'));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  describe('by matchers', () => {
    let block: Block;
    let all: Labels[];
    before(async () => {
      const random = seededRandom(1);
      const value = (n: number): string => ['', 'a', 'b', 'ab', 'abc', 'b.c'][Math.floor(random() * n)]!;
      const content: Content = {};
      for (let i = 0; i < 400; i++) {
        const pairs = Object.entries({ x: value(6), y: value(4), z: value(2), i: String(i % 40), unique: String(i) });
        const text = pairs
          .filter(([, one]) => one !== '')
          .map(([name, one]) => `${name}=${one}`)
          .join(' ');
        (content as Record<string, unknown>)[`m${i % 3} ${text}`] = [[i, i]];
      }
      all = Object.keys(content)
        .map(parse)
        .sort((a, b) => a.compare(b));
      block = openBlock(await writeBlock(join(dir, 'matchers'), content));
    });
    after(() => block.close());

    it('tells pairs apart that have the same text together', async () => {
      const content: Content = { 'one a=bc': [[1, 1]], 'two ab=c': [[1, 2]], 'three 1a=b': [[1, 3]] };
      const similar = openBlock(await writeBlock(join(dir, 'similar'), content));
      const querier = new BlockQuerier(similar, -Infinity, Infinity);
      const hints = { startMs: -1e15, endMs: 1e15 };
      for (const [name, value, metric] of [
        ['a', 'bc', ['one']],
        ['ab', 'c', ['two']],
        ['1a', 'b', ['three']],
        ['', '1abc', []],
        ['a', 'bc', ['one']],
      ] as const) {
        const found = await collectSeries(await querier.select(true, hints, [new Matcher('=', name, value)]));
        assert.deepEqual(
          found.map(({ labels }) => labels.get('__name__')),
          metric,
        );
      }
      querier.close();
      similar.close();
    });

    it('gives of a projection the labels that are in it, one object for all series that have the same', async () => {
      const querier = new BlockQuerier(block, -Infinity, Infinity);
      const hints = { startMs: -1e15, endMs: 1e15, projection: ['y', '__name__', 'none'] };
      const series = await collectSeries(await querier.select(true, hints, [new Matcher('=~', 'x', 'a|b')]));
      assert.ok(series.length > 50);
      const kept = new Set(hints.projection);
      for (const { labels, projected } of series) assert.deepEqual(projected!.pairs, labels.keep(kept).pairs);
      const objects = new Set(series.map(({ projected }) => projected));
      assert.equal(objects.size, new Set(series.map(({ projected }) => projected!.key)).size);
      querier.close();
    });

    it('gives hashes of labels without some that tell apart what the other labels tell apart', async () => {
      const querier = new BlockQuerier(block, -Infinity, Infinity);
      const without = new Set(['__name__', 'unique', 'none']);
      const hints = { startMs: -1e15, endMs: 1e15, hashWithout: without };
      const series = await collectSeries(await querier.select(true, hints, [new Matcher('=~', 'x', 'a|b')]));
      const byHash = new Map<number, string>();
      for (const { labels, hashWithout } of series) {
        const { key } = labels.without(without);
        assert.equal(byHash.get(hashWithout!) ?? key, key);
        byHash.set(hashWithout!, key);
      }
      assert.equal(byHash.size, new Set(series.map(({ labels }) => labels.without(without).key)).size);
      assert.ok(byHash.size > 1 && byHash.size < series.length);
      querier.close();
    });

    const texts: Record<MatchType, string[]> = {
      '=': ['', 'a', 'abc', 'none'],
      '!=': ['', 'a', 'none'],
      '=~': ['', 'a', 'a|b', '|a', '.*', '.+', 'a.*', 'a.+', '.*c', 'none|a', 'b\\.c', '(a|b)?'],
      '!~': ['', 'a', 'a|b', '|a', '.*', '.+', 'a.*', '.*c', 'a?b?'],
    };
    for (const [type, patterns] of Object.entries(texts) as [MatchType, string[]][]) {
      for (const pattern of patterns) {
        it(`selects x${type}"${pattern}" alone and with other matchers as a plain filter would`, async () => {
          for (const others of [
            [],
            [new Matcher('=', '__name__', 'm1')],
            [new Matcher('!=', 'y', 'a')],
            [new Matcher('=~', 'y', '.+'), new Matcher('=', 'z', '')],
            [new Matcher('=', 'absent', '')],
            [new Matcher('!=', 'absent', '')],
            // So few that the rest looks at series instead of values.
            [new Matcher('=~', 'unique', '1|2|3|4|5|6|7|8|9|500')],
            [new Matcher('=', 'i', '7'), new Matcher('!~', 'unique', '.*7')],
            [new Matcher('=', 'i', '8'), new Matcher('=~', 'unique', '.+8.?'), new Matcher('!=', 'y', 'b')],
          ]) {
            const matchers = [new Matcher(type, 'x', pattern), ...others];
            const wanted = all.filter((labels) => matchers.every((m) => m.matches(labels.get(m.name))));
            const querier = new BlockQuerier(block, -1e15, 1e15);
            assert.deepEqual(Object.keys(await read(querier, matchers)), wanted.map(textOfLabels));
            const distinct = (of: (labels: Labels) => string[]): string[] =>
              [...new Set(wanted.flatMap(of))].filter((text) => text !== '').sort(compareUtf8);
            for (const name of ['x', 'y', 'unique', '__name__', 'absent']) {
              assert.deepEqual(
                (await querier.labelValues(name, {}, matchers)).values,
                distinct((labels) => [labels.get(name)]),
              );
            }
            assert.deepEqual(
              (await querier.labelNames({}, matchers)).values,
              distinct((labels) => [...labels].map(([name]) => name)),
            );
            querier.close();
          }
        });
      }
    }

    it('gives all label names and values, sorted and up to a limit', async () => {
      const querier = new BlockQuerier(block, -1e15, 1e15);
      assert.deepEqual((await querier.labelNames({}, [])).values, ['__name__', 'i', 'unique', 'x', 'y', 'z']);
      assert.deepEqual((await querier.labelNames({ limit: 2 }, [])).values, ['__name__', 'i']);
      assert.deepEqual((await querier.labelValues('x', {}, [])).values, ['a', 'ab', 'abc', 'b', 'b.c']);
      assert.deepEqual((await querier.labelValues('x', { limit: 1 }, [])).values, ['a']);
      assert.deepEqual((await querier.labelValues('x', { limit: 1 }, [new Matcher('=~', 'x', 'b.*')])).values, ['b']);
      assert.deepEqual((await querier.labelValues('absent', {}, [])).values, []);
      // Those of several rows and pages, and those of no matcher, are given as bytes too.
      const unique = Array.from({ length: 400 }, (_, i) => String(i)).sort();
      for (const limit of [0, 1, 100, 399, 400, 401]) {
        const { values, packed } = await querier.labelValues('unique', { limit }, []);
        assert.deepEqual(values, unique.slice(0, limit || Infinity));
        assert.deepEqual(packed!.strings(), values);
      }
      querier.close();
    });

    it('honours a limit and an aborted signal', async () => {
      const querier = new BlockQuerier(block, -1e15, 1e15);
      assert.deepEqual(Object.keys(await read(querier, EVERYTHING, { limit: 5 })), all.slice(0, 5).map(textOfLabels));
      const hints = { startMs: -1e15, endMs: 1e15, signal: AbortSignal.abort() };
      await assert.rejects(querier.select(true, hints, EVERYTHING), { name: 'AbortError' });
      await assert.rejects(querier.labelNames(hints, EVERYTHING), { name: 'AbortError' });
      await assert.rejects(querier.labelValues('x', hints, []), { name: 'AbortError' });
      const controller = new AbortController();
      const set = await querier.select(true, { ...hints, signal: controller.signal }, EVERYTHING);
      controller.abort();
      await assert.rejects(collectSeries(set), { name: 'AbortError' });
      querier.close();
    });
  });

  describe('in a range of time', () => {
    const content: Content = {
      'm a=1': samples(600),
      'm a=2': samples(2, 3_000_000),
      'm a=3': samples(10, 100),
      // More than are put together at a time, and more than a page of chunks.
      'm a=4': samples(30_000),
    };
    let path: string;
    before(async () => {
      path = await writeBlock(join(dir, 'range'), content);
    });

    /** What of the content lies within, series without samples but with an overlapping chunk included. */
    const within = (startMs: number, endMs: number): Record<string, [number, string][]> => {
      const found = expected(content);
      for (const name of Object.keys(found)) {
        const list = found[name]!;
        const chunks = Array.from({ length: Math.ceil(list.length / 120) }, (_, i) =>
          list.slice(i * 120, i * 120 + 120),
        );
        if (!chunks.some((chunk) => chunk[0]![0] <= endMs && chunk.at(-1)![0] >= startMs)) delete found[name];
        else found[name] = list.filter(([timeMs]) => timeMs >= startMs && timeMs <= endMs);
      }
      return found;
    };

    it('gives the samples in it, both ends included, of the querier and of the hints', async () => {
      const block = openBlock(path);
      for (const [startMs, endMs] of [
        [0, 0],
        [15_000, 15_000],
        [1, 14_999],
        [60_000, 1_800_000],
        [1_795_000, 1_800_001],
        [8_985_000, 1e15],
        [100_000_000, 300_000_000],
        [1e10, 1e11],
      ] as const) {
        const narrow = new BlockQuerier(block, startMs, endMs);
        assert.deepEqual(await read(narrow), within(startMs, endMs));
        narrow.close();
        const wide = new BlockQuerier(block, -1e15, 1e15);
        assert.deepEqual(await read(wide, EVERYTHING, { startMs, endMs }), within(startMs, endMs));
        wide.close();
      }
      block.close();
    });

    it('reads chunks that lie far apart by themselves, not the pages between', async () => {
      const random = seededRandom(12);
      const scattered: Content = Object.fromEntries(
        // Many have chunks that are larger than what is read of one at first.
        Array.from({ length: 200 }, (_, i) => [
          `m a=${i}`,
          samples(3600).map(([timeMs, value]): [number, number] => [timeMs, i % 3 === 0 ? value : Math.sqrt(random())]),
        ]),
      );
      const block = openBlock(await writeBlock(join(dir, 'scattered'), scattered));
      const all = expected(scattered);
      for (const [startMs, endMs] of [
        [17_900_000, 18_100_000],
        [5_000_000, 5_000_000],
        [1_700_000, 4_000_000],
      ] as const) {
        const querier = new BlockQuerier(block, startMs, endMs);
        const within = Object.entries(all).map(([name, list]) => [
          name,
          list.filter(([timeMs]) => timeMs >= startMs && timeMs <= endMs),
        ]);
        assert.deepEqual(await read(querier), Object.fromEntries(within));
        querier.close();
      }
      const everySecond = [new Matcher('=~', 'a', '.*[1245780]')];
      const { usedBytes } = block.cache;
      block.delete(1_000_000, 1_006_000, everySecond);
      const querier = new BlockQuerier(block, 990_000, 1_010_000);
      const few = await read(querier, everySecond);
      assert.deepEqual(
        few['m a=1'],
        all['m a=1']!.filter(([timeMs]) => timeMs === 990_000),
      );
      querier.close();
      assert.ok(block.chunks.sizeBytes > 3e6 && usedBytes < 1e6, `${usedBytes} of ${block.chunks.sizeBytes}`);
      block.close();
    });

    it('leaves out what is deleted, read as samples and as chunks', async () => {
      const random = seededRandom(11);
      const block = openBlock(await writeBlock(join(dir, 'deleted'), content));
      const deleted: [number, number][] = [];
      const decoder = new ChunkDecoder(kernels);
      for (let round = 0; round < 25; round++) {
        const from = Math.floor(random() * 9_000_000);
        const to = from + Math.floor(random() * (round % 5 === 0 ? 2_500_000 : 60_000));
        deleted.push([from, to]);
        block.delete(from, to, [new Matcher('=', 'a', '1')]);
        const left = expected(content)['m a=1']!.filter(
          ([timeMs]) => !deleted.some(([a, b]) => timeMs >= a && timeMs <= b),
        );
        const querier = new BlockQuerier(block, -1e15, 1e15);
        assert.deepEqual((await read(querier))['m a=1'] ?? [], left);
        const [series] = await collectSeries(
          await querier.select(true, { startMs: -1e15, endMs: 1e15 }, [new Matcher('=', 'a', '1')]),
        );
        const columns = new SampleColumns();
        for (const chunk of (series as ChunkSeries).chunks(-1e15, 1e15)) {
          assertTimes(chunk, decoder);
          decoder.decode(storedEncoding(chunk.encoding), chunk.bytes, -Infinity, Infinity, columns);
        }
        assert.deepEqual(
          [...columns.timestamps.subarray(0, columns.length)],
          left.map(([timeMs]) => timeMs),
        );
        assert.deepEqual(
          Array.from(columns.values.subarray(0, columns.length), String),
          left.map(([, value]) => value),
        );
        querier.close();
      }
      decoder.release();
      block.close();
    });

    it('does all that with histograms too', async () => {
      const histograms = new SampleColumns();
      for (let i = 0; i < 50; i++) {
        const bucket = (k: number): number => i * (k + 1) + 1;
        histograms.pushHistogram(i * 1000, {
          integer: true,
          counterResetHint: 'unknown',
          schema: 2,
          zeroThreshold: 0.001,
          zeroCount: i,
          count: i + bucket(0) + bucket(1) + bucket(2),
          sum: i / 3,
          positiveSpans: [{ offset: 1, length: 2 }],
          negativeSpans: [{ offset: -3, length: 1 }],
          positiveBuckets: Float64Array.of(bucket(0), bucket(1)),
          negativeBuckets: Float64Array.of(bucket(2)),
          customValues: new Float64Array(0),
        });
      }
      const writer = new BlockWriter({ dir, ulid: ULID, fileSystem: nodeFileSystem, kernels });
      for (const symbol of ['__name__', 'h']) writer.addSymbol(symbol);
      writer.addSeries(Labels.of({ __name__: 'h' }), encodeSamples(kernels, histograms, 0, 50));
      const samples: [number, number][] = [
        [0, 0],
        [49_000, 0],
      ];
      await writer.finish(metaOf({ h: samples }), async () => {});
      const block = openBlock(writer.dir);
      block.delete(10_000, 20_000, EVERYTHING);
      const kept = Array.from({ length: 50 }, (_, i) => i).filter((i) => i < 10 || i > 20);
      const querier = new BlockQuerier(block, 0, 1e15);
      const [series] = await collectSeries(await querier.select(true, { startMs: 0, endMs: 1e15 }, EVERYTHING));
      const read = new SampleColumns();
      series!.read(read);
      const [chunk, ...others] = (series as ChunkSeries).chunks(0, 1e15);
      assert.deepEqual([chunk!.encoding, others], ['histogram', []]);
      const decoder = new ChunkDecoder(kernels);
      const decoded = new SampleColumns();
      decoder.decode(storedEncoding(chunk!.encoding), chunk!.bytes, -Infinity, Infinity, decoded);
      for (const columns of [read, decoded]) {
        assert.deepEqual(
          [...columns.timestamps.subarray(0, columns.length)],
          kept.map((i) => i * 1000),
        );
        for (const [at, i] of kept.entries()) {
          const { counterResetHint: _, ...wanted } = histograms.histograms![i]!;
          const { counterResetHint: hint, ...found } = columns.histograms![at]!;
          assert.deepEqual(found, wanted);
          assert.ok(hint === 'unknown' || hint === 'not_reset', hint);
        }
      }
      decoder.release();
      querier.close();
      block.close();
    });

    it('hands out the chunks that overlap a range, whole', async () => {
      const block = openBlock(path);
      const querier = new BlockQuerier(block, 1_800_000, 1e15);
      const [series] = await collectSeries(
        await querier.select(false, { startMs: -1e15, endMs: 1e15 }, [new Matcher('=', 'a', '1')]),
      );
      const chunks = [...(series as ChunkSeries).chunks(0, 3_700_000)];
      assert.deepEqual(
        chunks.map(({ minTimeMs, maxTimeMs, encoding }) => [minTimeMs, maxTimeMs, encoding]),
        [
          [1_800_000, 3_585_000, 'xor'],
          [3_600_000, 5_385_000, 'xor'],
        ],
      );
      querier.close();
      block.close();
    });
  });
});

function assertTimes({ minTimeMs, maxTimeMs, encoding, bytes }: RawChunk, decoder: ChunkDecoder): void {
  const columns = new SampleColumns();
  decoder.decode(storedEncoding(encoding), bytes, -Infinity, Infinity, columns);
  assert.deepEqual([columns.timestamps[0], columns.timestamps[columns.length - 1]], [minTimeMs, maxTimeMs]);
}
