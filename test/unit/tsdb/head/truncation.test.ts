import assert from 'node:assert/strict';
import { seededRandom } from '../../../../lib/env/index.ts';
import { createKernels } from '../../../../lib/kernels/index.ts';
import { Labels, Matcher, SampleColumns } from '../../../../lib/model/index.ts';
import { collectSeries } from '../../../../lib/storage/index.ts';
import { SampleBuffer } from '../../../../lib/tsdb/head/columns.ts';
import { Head } from '../../../../lib/tsdb/head/head.ts';
import { HeadReader } from '../../../../lib/tsdb/head/querier.ts';
import { truncateHead } from '../../../../lib/tsdb/head/truncation.ts';
import { flatOut } from '../../../../lib/tsdb/pace.ts';

const HOUR_MS = 3_600_000;

function newHead(): Head {
  const kernels = createKernels();
  return new Head(kernels, 2 * HOUR_MS, { maxSeries: 0, maxFutureMs: 0 }, undefined, seededRandom(3));
}

function append(head: Head, samples: readonly (readonly [ref: number, timeMs: number, value: number])[]): void {
  const buffer = new SampleBuffer(head.kernels.arena);
  buffer.reserve(samples.length);
  const { u32, f64 } = head.kernels.arena;
  samples.forEach(([ref, timeMs, value], i) => {
    u32[(buffer.refs >>> 2) + i] = ref;
    f64[buffer.times / 8 + i] = timeMs;
    f64[buffer.values / 8 + i] = value;
  });
  buffer.length = samples.length;
  head.apply(buffer, () => 0);
  buffer.release();
}

function times(head: Head, ref: number): number[] {
  const columns = new SampleColumns();
  head.read(ref, -Infinity, Infinity, columns);
  return [...columns.timestamps.subarray(0, columns.length)];
}

async function select(head: Head, ...matchers: Matcher[]): Promise<string[]> {
  const reader = new HeadReader(head.view, head.chunkReader, -1e15, 1e15);
  const set = await reader.select(true, { startMs: -1e15, endMs: 1e15 }, matchers);
  return (await collectSeries(set)).map(({ labels }) => labels.toString());
}

describe('tsdb head: truncation', function () {
  this.timeout(600_000);
  it('takes out whole chunks before the time, then series without chunks, then what only they had', async () => {
    const head = newHead();
    const gone = head.getOrCreate(Labels.of({ __name__: 'm', pod: 'gone', zone: 'a' }));
    const stays = head.getOrCreate(Labels.of({ __name__: 'm', pod: 'stays' }));
    const old = Array.from({ length: 200 }, (_, i) => i * 15_000);
    const recent = Array.from({ length: 10 }, (_, i) => 2 * HOUR_MS + i * 15_000);
    append(
      head,
      old.flatMap((time) => [[gone, time, 1] as const, [stays, time, 1] as const]),
    );
    append(
      head,
      recent.map((time) => [stays, time, 2] as const),
    );
    assert.deepEqual(times(head, stays), [...old, ...recent]);
    const truncation = await truncateHead(head, 2 * HOUR_MS, flatOut);
    assert.deepEqual(truncation, { chunksRemoved: 4, seriesRemoved: 1, minFile: undefined });
    assert.deepEqual([...head.logAliases.keys()], [gone], 'the log may have samples of it');
    assert.deepEqual(times(head, stays), recent);
    assert.equal(head.has(gone), false);
    assert.equal(head.find(Labels.of({ __name__: 'm', pod: 'gone', zone: 'a' })), 0);
    assert.equal(head.minTimeMs, 2 * HOUR_MS);
    assert.equal(head.minValidTimeMs, 2 * HOUR_MS);
    assert.equal(head.index.numSeries, 1);
    assert.equal(head.index.numPairs, 2);
    assert.equal(head.table.chunks, 1);
    assert.deepEqual(await select(head, new Matcher('=~', '__name__', '.+')), ['{__name__="m", pod="stays"}']);
    const reader = new HeadReader(head.view, head.chunkReader, -1e15, 1e15);
    assert.deepEqual((await reader.labelNames({}, [])).values, ['__name__', 'pod']);
    assert.deepEqual((await reader.labelValues('pod', {}, [])).values, ['stays']);
    const again = head.getOrCreate(Labels.of({ __name__: 'm', pod: 'gone', zone: 'a' }));
    assert.ok(again > stays, 'refs are not used again');
  });

  it('keeps a series that somebody still wants, and one that gets a sample while others go', async () => {
    const head = newHead();
    const refs = Array.from({ length: 300 }, (_, i) => head.getOrCreate(Labels.of({ i: String(i) })));
    append(
      head,
      refs.map((ref) => [ref, 0, 1] as const),
    );
    const [wanted, late] = [refs[5]!, refs[299]!];
    let turns = 0;
    head.appenders.enter({ fromMs: 0, holds: (ref) => ref === wanted });
    await truncateHead(head, 2 * HOUR_MS, () => {
      // Behind the pages, after the first of the removed.
      if (++turns === 4) append(head, [[late, 3 * HOUR_MS, 7]]);
      return undefined;
    });
    assert.equal(head.index.numSeries, 2);
    assert.deepEqual(times(head, late), [3 * HOUR_MS]);
    assert.equal(head.minTimeMs, 3 * HOUR_MS);
    assert.deepEqual(await select(head, new Matcher('=~', 'i', '.+')), ['{i="299"}']);
    assert.equal(head.find(Labels.of({ i: '5' })), wanted);
  });

  it('does not log a series that went before it was logged', async () => {
    const head = newHead();
    head.getOrCreate(Labels.of({ a: '1' }));
    const logged = head.getOrCreate(Labels.of({ a: '2' }));
    head.appenders.enter({ fromMs: 0, holds: (ref) => ref === logged });
    await truncateHead(head, 0, flatOut);
    assert.deepEqual(head.unlogged, [logged]);
  });

  it('needs no more memory after many generations of series than after the first', async () => {
    const generations = Number(process.env['PROMLET_CHURN_GENERATIONS'] ?? 12);
    const perGeneration = Number(process.env['PROMLET_CHURN_SERIES'] ?? 5_000);
    const head = newHead();
    const { arena } = head.kernels;
    // A series that stays, in the first page.
    const stays = head.getOrCreate(Labels.of({ __name__: 'up', job: 'churn' }));
    let afterFirst = 0;
    let growth = 0;
    let room = 0;
    for (let generation = 0; generation < generations; generation++) {
      const baseMs = generation * 2 * HOUR_MS;
      const refs: number[] = [];
      for (let i = 0; i < perGeneration; i++) {
        const pod = `pod-${generation}-${i >> 6}`;
        refs.push(head.getOrCreate(Labels.of({ __name__: `metric_${i & 63}`, job: 'churn', pod, i: String(i % 7) })));
      }
      head.unlogged = [];
      for (let scrape = 0; scrape < 3; scrape++) {
        const timeMs = baseMs + scrape * 15_000;
        append(
          head,
          [stays, ...refs].map((ref) => [ref, timeMs, ref * 1.1 + scrape] as const),
        );
      }
      append(head, [[stays, baseMs + 1_000_000, 1]]);
      await truncateHead(head, baseMs + 1_000_000, flatOut);
      assert.equal(head.index.numSeries, 1);
      assert.equal(head.index.numPairs, 2);
      if (generation === 0) {
        afterFirst = arena.usedBytes;
        room = arena.roomBytes;
      }
      growth = arena.usedBytes - afterFirst;
    }
    // The page directory alone grows: four bytes per 256 refs, in doublings.
    const directoryBytes = ((generations * perGeneration) / 256) * 4 * 2;
    assert.ok(growth <= directoryBytes, `${growth} bytes more in use`);
    assert.ok(room - arena.roomBytes <= 2 * directoryBytes + (1 << 16), `${room - arena.roomBytes} bytes more taken`);
    assert.equal(head.seriesRemoved, generations * perGeneration);
  });

  it('removes at random what a model says is empty, and finds exactly the rest by every matcher', async () => {
    const random = seededRandom(11);
    const head = newHead();
    const model = new Map<string, { ref: number; labels: Labels; last: number }>();
    const value = (n: number): string => `v${Math.floor(random() * n)}`;
    for (let round = 0; round < 12; round++) {
      const nowMs = round * HOUR_MS;
      for (let i = 0; i < 150; i++) {
        const labels = Labels.of({ __name__: value(4), a: value(30), ...(random() < 0.5 ? { b: value(3) } : {}) });
        const ref = head.getOrCreate(labels);
        model.set(labels.key, { ref, labels, last: nowMs });
        append(head, [[ref, nowMs + i, i]]);
      }
      const minMs = nowMs - Math.floor(random() * 3) * HOUR_MS;
      await truncateHead(head, minMs, flatOut);
      for (const [key, { last }] of model) if (last + 150 <= minMs) model.delete(key);
      assert.equal(head.index.numSeries, model.size);
      const all = [...model.values()].map(({ labels }) => labels).sort((a, b) => a.compare(b));
      for (const matcher of [
        new Matcher('=', '__name__', 'v1'),
        new Matcher('=~', 'a', 'v1.*'),
        new Matcher('=', 'b', ''),
        new Matcher('!=', 'b', 'v1'),
        new Matcher('=~', 'a', '.+'),
      ]) {
        const expected = all.filter((labels) => matcher.matches(labels.get(matcher.name))).map(String);
        assert.deepEqual(await select(head, matcher), expected);
      }
      const reader = new HeadReader(head.view, head.chunkReader, -1e15, 1e15);
      const values = new Set(all.map((labels) => labels.get('a')));
      assert.deepEqual((await reader.labelValues('a', {}, [])).values, [...values].sort());
      for (const { ref, labels } of model.values()) assert.equal(head.find(labels), ref);
    }
  });
});
