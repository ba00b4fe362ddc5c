import assert from 'node:assert/strict';
import { seededRandom } from '../../../lib/env/index.ts';
import { createKernels, scanLayout as layout, type Kernels } from '../../../lib/kernels/index.ts';
import { hashLineTwin, scanPageTwin } from '../../../lib/kernels/twins/scan.ts';

interface Line {
  readonly text: string;
  readonly key: string;
  readonly kind: number;
  readonly ref: number;
  /** The scrape that last saw it; the walks of these tests are scrape 7. */
  readonly seen?: number;
}

interface Walk {
  readonly done: number;
  readonly position: number;
  readonly record: number;
  readonly scraped: number;
  readonly type: number;
  readonly refs: number[];
  readonly values: number[];
  readonly marks: number[];
}

/** A page, the records of `known` and a state block in fresh memory; `scan` walks it once. */
function walk(
  lines: readonly Line[],
  known: readonly Line[],
  scan: 'kernel' | 'twin',
  kernels: Kernels = createKernels(),
): Walk {
  const { arena, wasm } = kernels;
  const text = Buffer.from(lines.map((line) => `${line.text}\n`).join(''), 'latin1');
  const state = arena.allocate(layout.STATE_BYTES);
  const page = arena.allocate(text.length + 16);
  const records = arena.allocate(Math.max(known.length, 1) * layout.RECORD_BYTES);
  const refs = arena.allocate(4 * lines.length + 8);
  const values = arena.allocate(8 * lines.length + 8);
  const scratch = arena.allocate(4096);
  arena.u32.fill(0, state >>> 2, (state + layout.STATE_BYTES) >>> 2);
  const set = (offset: number, value: number): void => {
    arena.u32[(state + offset) >>> 2] = value;
  };
  set(layout.STATE_SEED, 0x1234567);
  set(layout.STATE_SEED + 12, 0x89abcdef);
  known.forEach((line, i) => {
    const record = (records + i * layout.RECORD_BYTES) >>> 2;
    arena.u8.set(Buffer.from(line.key, 'latin1'), scratch);
    const hash = scan === 'kernel' ? wasm.hashLine.bind(wasm) : hashLineTwin.bind(undefined, arena);
    hash(state, scratch, line.key.length, record << 2);
    arena.u32[record + layout.RECORD_SIZE / 4] = ((line.kind << layout.KIND_SHIFT) | line.key.length) >>> 0;
    arena.u32[record + layout.RECORD_REF / 4] = line.ref;
    arena.u32[record + layout.RECORD_SEEN / 4] = line.seen ?? 0;
    arena.u32[record + layout.RECORD_LIVE / 4] = 0;
  });
  arena.u8.set(text, page);
  set(layout.STATE_POSITION, page);
  set(layout.STATE_END, page + text.length);
  set(layout.STATE_RECORD, records);
  set(layout.STATE_RECORDS_END, records + known.length * layout.RECORD_BYTES);
  set(layout.STATE_REFS, refs);
  set(layout.STATE_VALUES, values);
  set(layout.STATE_SCRAPE, 7);
  const done = scan === 'kernel' ? wasm.scanPage(state) : scanPageTwin(arena, state);
  const get = (offset: number): number => arena.u32[(state + offset) >>> 2]!;
  const count = get(layout.STATE_COUNT);
  return {
    done,
    position: get(layout.STATE_POSITION) - page,
    record: (get(layout.STATE_RECORD) - records) / layout.RECORD_BYTES,
    scraped: get(layout.STATE_SCRAPED),
    type: get(layout.STATE_TYPE),
    refs: [...arena.u32.subarray(refs >>> 2, (refs >>> 2) + count)],
    values: [...arena.f64.subarray(values >>> 3, (values >>> 3) + count)],
    marks: known.map((_, i) => arena.u32[(records + i * layout.RECORD_BYTES + layout.RECORD_SEEN) >>> 2]!),
  };
}

function sample(key: string, value: string, ref = 1): Line {
  return { text: `${key} ${value}`, key, kind: layout.KIND_SERIES, ref };
}

function comment(text: string, kind: number = layout.KIND_COMMENT): Line {
  return { text, key: text, kind, ref: 0 };
}

/** A single known sample line: the value the walk stored, undefined when it left the line. */
function scanned(value: string, scan: 'kernel' | 'twin' = 'kernel', kernels?: Kernels): number | undefined {
  const line = sample('metric', value);
  return walk([line], [line], scan, kernels).values[0];
}

describe('scan kernel', function () {
  this.timeout(600_000);
  it('walks a known page to its end: comments, types, dropped and stored series', () => {
    const lines = [
      comment('# HELP a help'),
      comment('# TYPE a counter', layout.KIND_TYPE + 1),
      sample('a{x="1"}', '1', 10),
      sample('a{x="2"}', '-2.5e3', 11),
      { ...sample('dropped', '3'), kind: layout.KIND_DROPPED },
      comment('#'),
      sample('b', '0', 12),
    ];
    for (const scan of ['kernel', 'twin'] as const) {
      const seen = walk(lines, lines, scan);
      assert.equal(seen.done, 1);
      assert.equal(seen.scraped, 4);
      assert.equal(seen.type, layout.KIND_TYPE + 1);
      assert.deepEqual(seen.refs, [10, 11, 12]);
      assert.deepEqual(seen.values, [1, -2500, 0]);
      assert.deepEqual(
        seen.marks,
        lines.map(() => 7),
      );
    }
  });

  const stops: readonly (readonly [why: string, page: readonly Line[], known: readonly Line[], at: number])[] = [
    ['a new line', [sample('a', '1'), sample('b', '1')], [sample('a', '0'), sample('c', '0')], 1],
    ['a line behind the last known one', [sample('a', '1'), sample('b', '1')], [sample('a', '0')], 1],
    ['a line that only begins like the known one', [sample('ab', '1')], [sample('a', '1')], 0],
    ['a line shorter than the known one', [sample('a', '1')], [sample('a_much_longer_name_than_the_page', '1')], 0],
    ['a timestamp', [{ ...sample('a', '1'), text: 'a 1 1000' }], [sample('a', '1')], 0],
    ['two blanks', [{ ...sample('a', '1'), text: 'a  1' }], [sample('a', '1')], 0],
    ['a comment that goes on', [{ ...comment('# x'), text: '# x y' }], [comment('# x')], 0],
    ['a line seen before in this scrape', [sample('a', '1')], [{ ...sample('a', '1'), seen: 7 }], 0],
  ];
  for (const [why, page, known, stopAt] of stops) {
    it(`stops at ${why}`, () => {
      for (const scan of ['kernel', 'twin'] as const) {
        const seen = walk(page, known, scan);
        assert.equal(seen.done, 0);
        assert.equal(
          seen.position,
          page.slice(0, stopAt).reduce((sum, line) => sum + line.text.length + 1, 0),
        );
        assert.equal(seen.record, stopAt);
      }
    });
  }

  it('leaves exotic numbers to the parser', () => {
    for (const text of [
      'NaN',
      '+Inf',
      '-Inf',
      '',
      '.',
      '-',
      '1e',
      '1_0',
      '0x1p3',
      '1e400',
      '1e23',
      '12345678901234567890',
    ]) {
      assert.equal(scanned(text), undefined, text);
    }
  });

  it('reads decimals as strtod does, to the last bit', () => {
    const kernels = createKernels();
    const edge = ['0', '-0', '+1', '.5', '5.', '00012', '0.000001234567890123456789'.slice(0, 22), '9007199254740992'];
    edge.push('9007199254740994', '1e22', '123456789e-30', '8.5e-52', '17.976931348623157e15', '1E+05');
    for (const text of edge) assert.ok(Object.is(scanned(text, 'kernel', kernels), Number(text)), text);
    const random = seededRandom(3);
    const bits = new DataView(new ArrayBuffer(8));
    let taken = 0;
    const rounds = 3000;
    const lines: Line[] = [];
    for (let i = 0; i < rounds; i++) {
      // Doubles from 2^-100 to 2^100, and plain digit strings.
      bits.setUint32(0, ((random() * 200 + 923) << 20) | (random() * 0x100000));
      bits.setUint32(4, random() * 0x100000000);
      const digits = Math.floor(random() * 1e10) + String(Math.floor(random() * 1e9));
      const text =
        i % 2 === 0 ? String(bits.getFloat64(0)) : `${digits.slice(0, 1 + (i % 19))}e${Math.floor(random() * 70) - 40}`;
      lines.push(sample(`metric_${i}`, text, i + 1));
    }
    for (let from = 0; from < lines.length;) {
      const rest = lines.slice(from);
      const seen = walk(rest, rest, 'kernel', kernels);
      seen.values.forEach((value, i) => {
        const text = rest[i]!.text.split(' ')[1]!;
        assert.ok(Object.is(value, Number(text)), `${text}: ${value}`);
      });
      taken += seen.values.length;
      from += seen.values.length + 1;
    }
    assert.ok(taken > rounds * 0.97, `${taken} of ${rounds} numbers taken`);
  });

  it('keeps its tables apart from the blocks of the arena', () => {
    const kernels = createKernels();
    const { arena } = kernels;
    const block = arena.allocate(65_536);
    arena.u8.fill(0xff, block, block + 65_536);
    assert.equal(scanned('7.424100000000001e-25', 'kernel', kernels), 7.424100000000001e-25);
  });

  it('agrees with its twin on seeded random pages', () => {
    const random = seededRandom(11);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
    for (let round = 0; round < 60; round++) {
      const known: Line[] = [];
      const count = Math.floor(random() * 30);
      for (let i = 0; i < count; i++) {
        const key = `m${'x'.repeat(Math.floor(random() * 40))}{l="${i}"}`;
        const value = pick(['1', '0.25', '1e3', '123456.789', '-4', '7.424100000000001e-05', '1700000000.123']);
        known.push(random() < 0.2 ? comment(`# c ${i}`, layout.KIND_TYPE + (i % 4)) : sample(key, value, i + 1));
      }
      const page = [...known];
      if (random() < 0.5 && count > 0) {
        const broken = Math.floor(random() * count);
        page[broken] = pick([sample('new', '1'), sample('', 'x'), sample(known[broken]!.key, 'NaN'), comment('# new')]);
      }
      assert.deepEqual(walk(page, known, 'kernel'), walk(page, known, 'twin'));
    }
  });

  it('hashes as its twin at every length, and never reads beyond it', () => {
    const { arena, wasm } = createKernels();
    const state = arena.allocate(layout.STATE_BYTES);
    const bytes = arena.allocate(256);
    const out = arena.allocate(32);
    const random = seededRandom(5);
    const hash = (kernel: boolean, length: number): string => {
      if (kernel) wasm.hashLine(state, bytes, length, out);
      else hashLineTwin(arena, state, bytes, length, out);
      return Buffer.from(arena.u8.slice(out, out + 16)).toString('hex');
    };
    const seen = new Set<string>();
    for (let length = 0; length < 200; length++) {
      for (let i = 0; i < 256; i++) arena.u8[bytes + i] = random() * 256;
      const expected = hash(true, length);
      assert.equal(hash(false, length), expected, `length ${length}`);
      arena.u8.fill(0xee, bytes + length, bytes + 256);
      assert.equal(hash(true, length), expected, `length ${length}`);
      if (length > 0) {
        arena.u8[bytes + length - 1]! ^= 0x80;
        assert.notEqual(hash(true, length), expected, `length ${length}`);
      }
      seen.add(expected);
    }
    assert.equal(seen.size, 200);
  });
});
