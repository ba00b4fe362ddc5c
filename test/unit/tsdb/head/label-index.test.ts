import assert from 'node:assert/strict';
import { seededRandom } from '../../../../lib/env/index.ts';
import { createKernels } from '../../../../lib/kernels/index.ts';
import { hashBytesTwin } from '../../../../lib/kernels/twins/labels.ts';
import { Labels } from '../../../../lib/model/index.ts';
import { Head } from '../../../../lib/tsdb/head/head.ts';
import { orderByLabels } from '../../../../lib/tsdb/head/label-order.ts';

const UNLIMITED = { maxSeries: 0, maxFutureMs: 0 };

function newHead(): Head {
  return new Head(createKernels(), 7_200_000, UNLIMITED, undefined, seededRandom(3));
}

/** As a WAL series record has labels. */
function encode(pairs: readonly string[], lengthBytes = 1): Buffer {
  const number = (value: number): Buffer => {
    const bytes: number[] = [];
    for (let rest = value, i = 0; ; i++, rest >>>= 7) {
      const isLast = rest < 0x80 && i + 1 >= lengthBytes;
      bytes.push((rest & 0x7f) | (isLast ? 0 : 0x80));
      if (isLast) return Buffer.from(bytes);
    }
  };
  const parts = pairs.map((text) => Buffer.concat([number(Buffer.byteLength(text)), Buffer.from(text)]));
  return Buffer.concat([number(pairs.length / 2), ...parts]);
}

const TEXTS = [
  'a',
  'b',
  'ab',
  'abcdef',
  'abcdefg',
  'abcdefh',
  'abcdef\0',
  'Ä',
  'ü',
  '🚀',
  '～',
  '__name__',
  'x'.repeat(126),
];
const LONG = ['y'.repeat(127), 'z'.repeat(128), 'ü'.repeat(70), 'w'.repeat(20_000), 'w'.repeat(70_000)];

describe('tsdb head: labels', function () {
  this.timeout(600_000);
  it('hashes as the twin does, whatever the length', () => {
    const { arena, wasm } = createKernels();
    const random = seededRandom(1);
    const at = arena.allocate(256);
    for (let length = 0; length <= 100; length++) {
      for (let i = 0; i < 128; i++) arena.u8[at + i] = random() * 256;
      const [key0, key1] = [random() * 2 ** 32, random() * 2 ** 32].map((key) => key >>> 0) as [number, number];
      const bytes = arena.u8.slice(at, at + length);
      assert.equal(wasm.hashBytes(key0, key1, at, length) >>> 0, hashBytesTwin(key0, key1, bytes));
    }
  });

  it('finds each of many label sets, as strings and as bytes, and no other', () => {
    const head = newHead();
    const random = seededRandom(2);
    const text = (): string => {
      const texts = random() < 0.02 ? LONG : TEXTS;
      return texts[Math.floor(random() * texts.length)]!;
    };
    const refs = new Map<string, number>();
    const sets = new Map<string, Labels>();
    const outside: Labels[] = [];
    for (let i = 0; i < 3000; i++) {
      const labels = Labels.of(Array.from({ length: 1 + Math.floor(random() * 6) }, () => [text(), text()]));
      if (i % 3 === 0) {
        outside.push(labels);
        continue;
      }
      const ref = head.getOrCreate(labels);
      assert.equal(refs.get(labels.key) ?? ref, ref);
      refs.set(labels.key, ref);
      sets.set(labels.key, labels);
    }
    assert.equal(head.index.numSeries, refs.size);
    const pairs = new Set([...sets.values()].flatMap((labels) => [...labels].map(([n, v]) => Labels.of([[n, v]]).key)));
    assert.equal(head.index.numPairs, pairs.size);
    for (const [key, labels] of sets) {
      const ref = refs.get(key)!;
      const bytes = encode(labels.pairs);
      const canonical = labels.pairs.every((part) => part.length > 0);
      assert.ok(canonical);
      assert.equal(head.find(labels), ref);
      assert.deepEqual(head.labels(ref).pairs, labels.pairs);
      assert.equal(head.index.findEncoded(Buffer.concat([bytes, Buffer.from('rest')])), ref);
      assert.equal(head.index.consumedBytes, bytes.length);
    }
    for (const labels of outside) {
      assert.equal(head.find(labels), refs.get(labels.key) ?? 0);
      assert.equal(head.index.findEncoded(encode(labels.pairs)), refs.get(labels.key) ?? 0);
    }
  });

  it('takes labels of a record that another writer wrote in its own way for the same series', () => {
    const head = newHead();
    const ref = head.getOrCreate(Labels.of({ a: '1', b: '2' }));
    const records = {
      'names out of order': encode(['b', '2', 'a', '1']),
      'an empty value': encode(['a', '1', 'b', '2', 'c', '']),
      'lengths in more bytes than they need': encode(['a', '1', 'b', '2'], 3),
      'a name twice, the last counts': encode(['a', '0', 'a', '1', 'b', '2']),
    };
    for (const [name, record] of Object.entries(records)) {
      assert.equal(head.index.findEncoded(record), ref, name);
      assert.equal(head.index.consumedBytes, record.length, name);
      assert.equal(head.replaySeries(77, record), ref, name);
    }
    assert.equal(head.index.numSeries, 1);
  });

  it('creates series of a record under their refs, and refuses what is malformed, empty or taken', () => {
    const head = newHead();
    const record = encode(['a', '1', 'b', '2']);
    assert.equal(head.replaySeries(9, record), 9);
    assert.deepEqual(head.labels(9).pairs, ['a', '1', 'b', '2']);
    assert.equal(head.replaySeries(9, encode(['a', 'other'])), 0, 'the ref stands for other labels');
    assert.equal(head.replaySeries(10, encode([])), 0);
    assert.equal(head.index.consumedBytes, 1);
    for (let length = 0; length < record.length; length++) {
      assert.equal(head.replaySeries(11, record.subarray(0, length)), 0);
      assert.equal(head.index.consumedBytes, -1);
    }
    for (const wrong of [
      [0xff, 0xff, 0xff, 0xff, 0x0f],
      [1, 0xff, 0xff, 0xff, 0xff, 0x07],
      [2, 1, 97, 0x80],
    ]) {
      assert.equal(head.replaySeries(11, Uint8Array.from(wrong)), 0);
      assert.equal(head.index.consumedBytes, -1);
    }
    assert.equal(head.index.numSeries, 1);
    assert.equal(head.getOrCreate(Labels.of({ c: '3' })), 10, 'refs go on behind the largest');
  });

  it('refuses labels that are no text', () => {
    const head = newHead();
    // In UTF-8 both names are the replacement character.
    const labels = new Labels(['\ud800', '1', '\ud801', '2']);
    assert.throws(() => head.getOrCreate(labels), { code: 'storage/bad-labels' });
  });

  it('sweeps a long list in steps, between which it is whole and new series come', () => {
    const head = newHead();
    const { arena } = head.kernels;
    const job = (i: number): Labels => Labels.of({ i: String(i), job: 'a' });
    let refs = Array.from({ length: 100 }, (_, i) => head.getOrCreate(job(i)));
    const pair = head.view.findPair('job', 'a');
    const alive = (): number[] => [...head.view.postings(pair)].filter((ref) => head.has(ref));
    for (let round = 0; round < 4; round++) {
      const pairs = new Set<number>();
      for (const ref of refs.filter((_, i) => i % 3 !== round % 3)) head.remove(ref, pairs);
      refs = refs.filter((ref) => head.has(ref));
      const used = arena.usedBytes;
      let steps = 0;
      for (let through = false; !through; steps++) {
        ({ through } = head.index.sweepPair(pair, 7));
        assert.deepEqual(alive(), refs);
        if (!through) refs.push(head.getOrCreate(job(1000 * round + 500 + steps)));
        assert.deepEqual(alive(), refs);
      }
      assert.ok(steps > 3 || refs.length < 14);
      assert.deepEqual([...head.view.postings(pair)], refs);
      assert.ok(arena.usedBytes < used + refs.length * 256);
      pairs.delete(pair);
      for (const other of pairs) head.index.sweepPair(other, 7);
      for (let through = false; !through;) ({ through } = head.index.sweepAllSeries(7));
      assert.deepEqual([...head.view.allSeries()], refs);
    }
    assert.equal(head.index.numPairs, refs.length + 1);
  });

  it('orders series as their labels compare, and lists all texts in order', () => {
    const head = newHead();
    const random = seededRandom(5);
    const refs: number[] = [];
    const text = (): string => TEXTS[Math.floor(random() * TEXTS.length)]!;
    for (let i = 0; i < 2000; i++) {
      const common: [string, string][] = random() < 0.7 ? [['__name__', `m${Math.floor(random() * 5)}`]] : [];
      const rest = Array.from({ length: 1 + Math.floor(random() * 4) }, (): [string, string] => [text(), text()]);
      refs.push(head.getOrCreate(Labels.of([...common, ...rest])));
    }
    const distinct = Uint32Array.from(new Set(refs));
    const { order, symbols } = orderByLabels(head.view, distinct);
    const sorted = Array.from(order, (index) => head.labels(distinct[index]!));
    assert.equal(new Set(order).size, distinct.length);
    for (let i = 1; i < sorted.length; i++) assert.ok(sorted[i - 1]!.compare(sorted[i]!) < 0);
    const texts = new Set(sorted.flatMap((labels) => labels.pairs));
    assert.deepEqual(
      [...symbols()],
      [...texts].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
    assert.deepEqual([...orderByLabels(head.view, new Uint32Array(0)).symbols()], []);
  });
});
