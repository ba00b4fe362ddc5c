import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeFileSystem } from '../../../../lib/env/index.ts';
import { type BlockMeta, formatMeta, isUlid, parseMeta, readMeta, writeMeta } from '../../../../lib/tsdb/block/meta.ts';
import { readTombstones, writeTombstones } from '../../../../lib/tsdb/block/tombstones-file.ts';
import { joinIntervals, Tombstones } from '../../../../lib/tsdb/tombstones.ts';
import { faulty } from '../harness.ts';
import { kernels } from './harness.ts';

const ULIDS = ['01DXXFZDYD1MQW6079WK0K6EDQ', '01BZJ9WJQPWHGNC2W4J9TA62KC'] as const;

/** As Prometheus 3.15 writes it, all fields there. */
const FULL_TEXT = `{
	"ulid": "01DXXFZDYD1MQW6079WK0K6EDQ",
	"minTime": -5,
	"maxTime": 7200000,
	"stats": {
		"numSamples": 6,
		"numFloatSamples": 4,
		"numHistogramSamples": 2,
		"numSeries": 3,
		"numChunks": 4,
		"numTombstones": 1
	},
	"compaction": {
		"level": 2,
		"sources": [
			"01BZJ9WJQPWHGNC2W4J9TA62KC"
		],
		"deletable": true,
		"parents": [
			{
				"ulid": "01BZJ9WJQPWHGNC2W4J9TA62KC",
				"minTime": 0,
				"maxTime": 7200000
			}
		],
		"failed": true,
		"hints": [
			"a\\u003cb",
			"from-out-of-order"
		]
	},
	"version": 1
}`;

describe('tsdb: the small files of a block', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-small-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  describe('meta.json', () => {
    it('is read and written as Prometheus writes it, with all fields and with the least', () => {
      const full = parseMeta('meta.json', FULL_TEXT);
      assert.deepEqual(full.compaction.hints, ['a<b', 'from-out-of-order']);
      assert.equal(formatMeta(full), FULL_TEXT);
      const least = `{\n\t"ulid": "${ULIDS[0]}",\n\t"minTime": 0,\n\t"maxTime": 0,\n\t"stats": {},\n\t"compaction": {\n\t\t"level": 1\n\t},\n\t"version": 1\n}`;
      assert.equal(formatMeta(parseMeta('meta.json', least)), least);
    });

    it('leaves out what is empty, and passes over what it does not know', () => {
      const meta = parseMeta(
        'meta.json',
        `{"ulid":"${ULIDS[0]}","thanos":{"labels":{}},"version":1,"stats":{"numSeries":0,"x":1},"compaction":{"level":1,"sources":[],"failed":false,"parents":null}}`,
      );
      assert.deepEqual(meta, {
        ulid: ULIDS[0],
        minTime: 0,
        maxTime: 0,
        stats: {},
        compaction: { level: 1 },
        version: 1,
      } satisfies BlockMeta);
    });

    const broken: Record<string, string> = {
      'no JSON': '{',
      'an array': '[]',
      'a version to come': `{"ulid":"${ULIDS[0]}","version":2}`,
      'no version': `{"ulid":"${ULIDS[0]}"}`,
      'no ulid': '{"version":1}',
      'a ulid that leads elsewhere': '{"ulid":"../../../../../../etc/passwd0","version":1}',
      'a time that is no integer': `{"ulid":"${ULIDS[0]}","version":1,"minTime":0.5}`,
      'a time that is too large': `{"ulid":"${ULIDS[0]}","version":1,"maxTime":9223372036854775807}`,
      'times the wrong way round': `{"ulid":"${ULIDS[0]}","version":1,"minTime":5,"maxTime":4}`,
      'a count below zero': `{"ulid":"${ULIDS[0]}","version":1,"stats":{"numSeries":-1}}`,
      'a source that is no ulid': `{"ulid":"${ULIDS[0]}","version":1,"compaction":{"sources":["x"]}}`,
      'a parent that is no object': `{"ulid":"${ULIDS[0]}","version":1,"compaction":{"parents":[1]}}`,
      'hints that are no list': `{"ulid":"${ULIDS[0]}","version":1,"compaction":{"hints":{}}}`,
      'a flag that is none': `{"ulid":"${ULIDS[0]}","version":1,"compaction":{"failed":1}}`,
      'nesting without end': '['.repeat(1_000_000),
    };
    for (const [name, text] of Object.entries(broken)) {
      it(`is refused with ${name}`, () => {
        assert.throws(() => parseMeta('DIR/meta.json', text), {
          code: 'storage/bad-block',
          message: /^DIR\/meta\.json: /,
        });
      });
    }

    it('is replaced whole or not at all', () => {
      const meta = parseMeta('meta.json', FULL_TEXT);
      assert.equal(writeMeta(nodeFileSystem, dir, meta), Buffer.byteLength(FULL_TEXT));
      const failing = faulty({
        fsyncSync: () => {
          throw new Error('EIO: i/o error');
        },
      });
      assert.throws(() => writeMeta(failing, dir, { ...meta, minTime: 1 }), { code: 'storage/block-write' });
      assert.deepEqual(readMeta(nodeFileSystem, dir), { meta, sizeBytes: Buffer.byteLength(FULL_TEXT) });
      assert.deepEqual(readdirSync(dir), ['meta.json']);
    });

    it('is refused when it is a directory, missing or huge', () => {
      assert.throws(() => readMeta(nodeFileSystem, dir), { code: 'storage/block-read' });
      mkdirSync(join(dir, 'meta.json'));
      assert.throws(() => readMeta(nodeFileSystem, dir), { code: 'storage/bad-block' });
      rmSync(join(dir, 'meta.json'), { recursive: true });
      symlinkSync(dir, join(dir, 'meta.json'));
      assert.throws(() => readMeta(nodeFileSystem, dir), { code: 'storage/bad-block' });
      rmSync(join(dir, 'meta.json'));
      writeFileSync(join(dir, 'meta.json'), ' '.repeat((4 << 20) + 1));
      assert.throws(() => readMeta(nodeFileSystem, dir), { code: 'storage/bad-block' });
    });

    it('knows a ULID from other names', () => {
      assert.ok(ULIDS.every(isUlid));
      for (const name of ['', 'wal', `${ULIDS[0]}.tmp-for-creation`, ULIDS[0].toLowerCase(), `8${ULIDS[0].slice(1)}`]) {
        assert.ok(!isUlid(name), name);
      }
    });
  });

  describe('tombstones', () => {
    it('are read back as they were written, as the format note says', () => {
      const tombstones = new Tombstones();
      tombstones.add(300, { minTimeMs: -1, maxTimeMs: 64 });
      tombstones.add(2, { minTimeMs: -(2 ** 53) + 1, maxTimeMs: 2 ** 53 - 1 });
      assert.equal(
        writeTombstones(nodeFileSystem, kernels, dir, tombstones),
        readFileSync(join(dir, 'tombstones')).length,
      );
      const hex = readFileSync(join(dir, 'tombstones')).toString('hex');
      assert.equal(hex.slice(0, -8), ['0130ba3001', '02fdffffffffffff1ffeffffffffffff1f', 'ac02018001'].join(''));
      const { tombstones: read, sizeBytes } = readTombstones(nodeFileSystem, kernels, dir);
      assert.deepEqual([...read.entries()], [...tombstones.entries()]);
      assert.equal(sizeBytes, hex.length / 2);
      assert.deepEqual(readdirSync(dir), ['tombstones']);
    });

    it('are none without a file, and an empty file of nine bytes says so too', () => {
      assert.deepEqual([...readTombstones(nodeFileSystem, kernels, dir).tombstones.entries()], []);
      assert.equal(writeTombstones(nodeFileSystem, kernels, dir, new Tombstones()), 9);
      assert.equal(readFileSync(join(dir, 'tombstones')).toString('hex'), '0130ba300100000000');
      assert.equal(readTombstones(nodeFileSystem, kernels, dir).tombstones.total, 0);
    });

    it('are not written when they are so many that they would not be read again', () => {
      const tombstones = new Tombstones();
      tombstones.addAll(
        2 ** 40,
        Array.from({ length: 600_000 }, (_, i) => ({ minTimeMs: i * 2 ** 20, maxTimeMs: i * 2 ** 20 })),
      );
      assert.throws(() => writeTombstones(nodeFileSystem, kernels, dir, tombstones), {
        code: 'storage/too-many-tombstones',
      });
      assert.deepEqual(readdirSync(dir), []);
    });

    it('are not taken for none when they cannot be read', () => {
      writeTombstones(nodeFileSystem, kernels, dir, new Tombstones());
      const failing = faulty({
        openSync: () => {
          throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
        },
      });
      assert.throws(() => readTombstones(failing, kernels, dir), { code: 'storage/block-read' });
    });

    it("take Go's smallest and largest time for no limit", () => {
      const body = Buffer.from(`07${'f'.repeat(18)}01fe${'f'.repeat(16)}01`, 'hex');
      const address = kernels.arena.allocate(body.length);
      kernels.arena.u8.set(body, address);
      const crc = Buffer.alloc(4);
      crc.writeUInt32BE(kernels.wasm.crc32c(0, address, body.length) >>> 0);
      writeFileSync(join(dir, 'tombstones'), Buffer.concat([Buffer.from('0130ba3001', 'hex'), body, crc]));
      const { tombstones } = readTombstones(nodeFileSystem, kernels, dir);
      assert.deepEqual(tombstones.get(7), [{ minTimeMs: -(2 ** 63), maxTimeMs: 2 ** 63 }]);
      writeTombstones(nodeFileSystem, kernels, dir, tombstones);
      assert.equal(readTombstones(nodeFileSystem, kernels, dir).tombstones.total, 1);
    });

    it('join intervals that overlap or lie next to each other, in whatever order they come', () => {
      const at = (...pairs: [number, number][]): { minTimeMs: number; maxTimeMs: number }[] =>
        pairs.map(([minTimeMs, maxTimeMs]) => ({ minTimeMs, maxTimeMs }));
      // The cases of Prometheus's TestAddingNewIntervals.
      const cases: [have: [number, number][], add: [number, number], want: [number, number][]][] = [
        [[], [1, 2], [[1, 2]]],
        [[[1, 2]], [1, 2], [[1, 2]]],
        [
          [
            [1, 4],
            [6, 6],
          ],
          [5, 6],
          [[1, 6]],
        ],
        [
          [
            [1, 10],
            [12, 20],
            [25, 30],
          ],
          [21, 23],
          [
            [1, 10],
            [12, 23],
            [25, 30],
          ],
        ],
        [
          [
            [1, 2],
            [3, 5],
            [7, 7],
          ],
          [6, 7],
          [
            [1, 2],
            [3, 7],
          ],
        ],
        [
          [
            [1, 10],
            [12, 20],
            [25, 30],
          ],
          [18, 23],
          [
            [1, 10],
            [12, 23],
            [25, 30],
          ],
        ],
        [
          [
            [1, 10],
            [12, 20],
            [25, 30],
          ],
          [9, 23],
          [
            [1, 23],
            [25, 30],
          ],
        ],
        [
          [
            [1, 10],
            [12, 20],
            [25, 30],
          ],
          [9, 230],
          [[1, 230]],
        ],
        [
          [
            [5, 10],
            [12, 20],
            [25, 30],
          ],
          [1, 4],
          [
            [1, 10],
            [12, 20],
            [25, 30],
          ],
        ],
        [
          [
            [5, 10],
            [12, 20],
            [25, 30],
          ],
          [11, 14],
          [
            [5, 20],
            [25, 30],
          ],
        ],
        [
          [
            [5, 10],
            [12, 20],
            [25, 30],
          ],
          [1, 3],
          [
            [1, 3],
            [5, 10],
            [12, 20],
            [25, 30],
          ],
        ],
        [
          [
            [5, 10],
            [12, 20],
            [25, 30],
          ],
          [35, 40],
          [
            [5, 10],
            [12, 20],
            [25, 30],
            [35, 40],
          ],
        ],
      ];
      for (const [have, add, want] of cases) {
        const tombstones = new Tombstones();
        tombstones.addAll(1, at(...have));
        tombstones.add(1, at(add)[0]!);
        assert.deepEqual(tombstones.get(1), joinIntervals(at(...want)), JSON.stringify({ have, add }));
      }
    });

    it('forget what ends before a time, and whole series', () => {
      const tombstones = new Tombstones();
      tombstones.addAll(1, [
        { minTimeMs: 0, maxTimeMs: 9 },
        { minTimeMs: 20, maxTimeMs: 30 },
      ]);
      tombstones.add(2, { minTimeMs: 0, maxTimeMs: 9 });
      tombstones.add(3, { minTimeMs: 0, maxTimeMs: 90 });
      tombstones.truncateBefore(10);
      assert.deepEqual(
        [...tombstones.entries()].map(([ref, list]) => [ref, list.length]),
        [
          [1, 1],
          [3, 1],
        ],
      );
      tombstones.delete(3);
      assert.equal(tombstones.total, 1);
    });
  });
});
