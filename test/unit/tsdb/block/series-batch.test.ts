import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Random, seededRandom } from '../../../../lib/env/index.ts';
import { errorMessage, Labels } from '../../../../lib/model/index.ts';
import { IndexSeries } from '../../../../lib/tsdb/block/index-series.ts';
import type { IndexReader } from '../../../../lib/tsdb/block/index-reader.ts';
import { SeriesBatch } from '../../../../lib/tsdb/block/series-batch.ts';
import { Tombstones } from '../../../../lib/tsdb/tombstones.ts';
import { kernels, symbolsOf } from './harness.ts';
import { type Entry, listOf, openIndex, randomEntries, writeIndex } from './index-harness.ts';

/** Symbols and chunks of a series. */
type Read = [symbols: number[], chunks: [number, number, number, number][]];

describe('tsdb: a batch of series of a block', function () {
  this.timeout(600_000);
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-batch-'));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  /** All series in as many batches as it takes. */
  function inBatches(index: IndexReader, tombstones: Tombstones, minMs: number, maxMs: number): Read[] {
    const usedBefore = kernels.arena.usedBytes;
    const batch = new SeriesBatch(kernels, index, tombstones, minMs, maxMs);
    const all: Read[] = [];
    const refs = index.allPostings();
    for (let i = 0; i < refs.length;) {
      while (i < refs.length && batch.add(refs[i]!)) i++;
      if (batch.length === 0) continue;
      const { symbols, symbolEnds, chunks, chunkEnds } = batch.take();
      assert.equal(batch.length, 0);
      for (let k = 0; k < chunkEnds.length; k++) {
        const list: Read[1] = [];
        for (let at = chunkEnds[k - 1] ?? 0; at < chunkEnds[k]!; at++) {
          list.push([chunks.minTimesMs[at]!, chunks.maxTimesMs[at]!, chunks.segments[at]!, chunks.offsets[at]!]);
        }
        all.push([[...symbols.subarray(symbolEnds[k - 1] ?? 0, symbolEnds[k])], list]);
      }
    }
    batch.release();
    assert.equal(kernels.arena.usedBytes, usedBefore);
    return all;
  }

  function oneByOne(index: IndexReader, tombstones: Tombstones, minMs: number, maxMs: number): Read[] {
    const entry = new IndexSeries();
    return Array.from(index.allPostings(), (ref): Read => {
      index.series(ref, entry);
      const wanted = listOf(entry.chunks).filter(
        ([first, last]) =>
          last >= minMs &&
          first <= maxMs &&
          !tombstones.get(ref).some(({ minTimeMs, maxTimeMs }) => minTimeMs <= first && maxTimeMs >= last),
      );
      return [[...entry.symbols.subarray(0, 2 * entry.labelCount)], wanted];
    }).filter(([, chunks]) => chunks.length > 0);
  }

  it('holds what the index says, whatever the range, the size of an entry and its place on a page', async () => {
    const long = (name: string, labels: number, chunks: number): Entry => ({
      labels: Labels.of({
        __name__: name,
        ...Object.fromEntries(Array.from({ length: labels }, (_, i) => [`n${i}`, `${i}`])),
      }),
      chunks: Array.from({ length: chunks }, (_, i) => [i * 100, i * 100 + 99, 0, 8 + i * 50]),
    });
    const entries = [...randomEntries(2000, 3), long('zz1', 3, 5000), long('zz2', 9000, 2), long('zz3', 1, 1)];
    entries.sort((a, b) => a.labels.compare(b.labels));
    const path = await writeIndex(join(dir, 'all'), entries, symbolsOf(entries.map(({ labels }) => labels)));
    const index = openIndex(path);
    const refs = index.allPostings();
    const tombstones = new Tombstones();
    tombstones.add(refs[5]!, { minTimeMs: -(2 ** 52), maxTimeMs: 2 ** 52 });
    tombstones.add(refs[6]!, { minTimeMs: entries[6]!.chunks[0]![0], maxTimeMs: entries[6]!.chunks[0]![1] });
    const ranges = [
      [-Infinity, Infinity],
      [1_700_000_000_000, 1_700_000_500_000],
      [1_700_000_500_000.5, 1_700_000_500_000.5],
      [0, 99],
      [100, 250_000],
      [-Infinity, -(2 ** 52)],
    ] as const;
    for (const [minMs, maxMs] of ranges) {
      for (const deleted of [new Tombstones(), tombstones]) {
        const expected = oneByOne(index, deleted, minMs, maxMs);
        assert.ok(expected.length > 0 || minMs > 1e12 || maxMs < 0);
        assert.deepEqual(inBatches(index, deleted, minMs, maxMs), expected);
      }
    }
    index.close();
  });

  it('is refused what the index is refused, and nothing else', async () => {
    const entries = randomEntries(20, 11);
    const path = await writeIndex(join(dir, 'sound'), entries, symbolsOf(entries.map(({ labels }) => labels)));
    const sound = readFileSync(path);
    const open = openIndex(path);
    const refs = open.allPostings();
    open.close();
    const random = seededRandom(12);
    let refused = 0;
    for (let round = 0; round < 200; round++) {
      const hurt = damaged(sound, refs[round % refs.length]! * 16, random);
      writeFileSync(join(dir, 'hurt'), hurt);
      const index = openIndex(join(dir, 'hurt'));
      const none = new Tombstones();
      const expected = outcome(() => oneByOne(index, none, -Infinity, Infinity));
      assert.deepEqual(
        outcome(() => inBatches(index, none, -Infinity, Infinity)),
        expected,
      );
      if (typeof expected === 'string') refused++;
      index.close();
    }
    assert.ok(refused > 40 && refused < 200, String(refused));
  });
});

function outcome(read: () => Read[]): Read[] | string {
  try {
    return read();
  } catch (error) {
    return errorMessage(error);
  }
}

/** Other bytes in an entry, with a checksum that says they are meant. */
function damaged(sound: Buffer, offset: number, random: Random): Buffer {
  const bytes = Buffer.from(sound);
  let at = offset;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]!;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  for (let count = 1 + Math.floor(random() * 3); count > 0; count--) {
    bytes[at + Math.floor(random() * length)] = random() < 0.3 ? 0xff : Math.floor(random() * 256);
  }
  const { arena, wasm } = kernels;
  const address = arena.allocate(length);
  arena.u8.set(bytes.subarray(at, at + length), address);
  bytes.writeInt32BE(wasm.crc32c(0, address, length), at + length);
  arena.free(address, length);
  return bytes;
}
