import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeFileSystem, seededRandom, systemClock } from '../../../../lib/env/index.ts';
import { createKernels } from '../../../../lib/kernels/index.ts';
import { Labels, Matcher } from '../../../../lib/model/index.ts';
import { BlockBuilder } from '../../../../lib/tsdb/block-builder.ts';
import { Block } from '../../../../lib/tsdb/block/block.ts';
import { PageCache } from '../../../../lib/tsdb/block/page-cache.ts';
import { verifyBlock } from '../../../../lib/tsdb/verify/block.ts';

const START_MS = 1_700_000_000_000;
const fileSystem = nodeFileSystem;
const kernels = createKernels();

async function writeSmallBlock(dir: string): Promise<string> {
  const shared = { dir, fileSystem, kernels: createKernels(), clock: systemClock, random: seededRandom(1) };
  const builder = new BlockBuilder({ ...shared, headDurationMs: 7_200_000 });
  const appender = builder.appender();
  for (let i = 0; i < 4; i++) {
    const ref = appender.series(Labels.of({ __name__: 'm', i: String(i), odd: i % 2 === 1 ? 'yes' : '' }));
    for (let k = 0; k < 5; k++) appender.append(ref, START_MS + k * 1000, i * k);
  }
  await appender.commit();
  const summary = await builder.flush();
  return join(dir, summary!.meta.ulid);
}

describe('verify: a block', function () {
  this.timeout(600_000);
  let dir: string;
  let blockDir: string;
  const verify = () => verifyBlock({ blockDir, fileSystem, kernels });
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-verify-'));
    blockDir = await writeSmallBlock(dir);
    const block = Block.open({ dir: blockDir, cache: new PageCache({ fileSystem, kernels }) });
    block.delete(START_MS + 1000, START_MS + 2000, [new Matcher('=', 'i', '2')]);
    block.close();
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  it('is counted when it is sound', () => {
    const { damage, notes, counts } = verify();
    assert.deepEqual({ damage, notes }, { damage: [], notes: [] });
    assert.deepEqual(Object.fromEntries(counts), { series: 4, chunks: 4, samples: 20, tombstones: 1 });
  });

  /** Where a flipped bit is not damage: in what no reader uses. */
  const HARMLESS: Readonly<Record<string, (bytes: Buffer, offset: number) => boolean>> = {
    index: (bytes, offset) => {
      // Between series and postings lie the label indices, and before the table of contents their table.
      const toc = bytes.length - 52;
      const at = (entry: number) => Number(bytes.readBigUInt64BE(toc + 8 * entry));
      const labelIndices = offset >= at(2) && offset < at(3);
      const labelTable = offset >= at(4) && offset < at(5);
      // Padding in front of series.
      return labelIndices || labelTable || (bytes[offset] === 0 && offset < at(2));
    },
    'chunks/000001': (_bytes, offset) => offset >= 5 && offset < 8,
    tombstones: () => false,
  };
  for (const file of ['index', 'chunks/000001', 'tombstones']) {
    it(`is damaged by any flipped bit in ${file} that anybody reads`, () => {
      const path = join(blockDir, file);
      const good = readFileSync(path);
      const missed: number[] = [];
      try {
        for (let offset = 0; offset < good.length; offset++) {
          const bad = Buffer.from(good);
          bad[offset]! ^= 1 << (offset % 8);
          writeFileSync(path, bad);
          if (verify().damage.length === 0) missed.push(offset);
        }
      } finally {
        writeFileSync(path, good);
      }
      assert.deepEqual(
        missed.filter((offset) => !HARMLESS[file]!(good, offset)),
        [],
      );
      assert.ok(missed.length < good.length / 5, `${missed.length} of ${good.length} are harmless`);
    });

    it(`is damaged when ${file} is cut anywhere`, () => {
      const path = join(blockDir, file);
      const good = readFileSync(path);
      try {
        for (let length = 0; length < good.length; length++) {
          writeFileSync(path, good.subarray(0, length));
          assert.notDeepEqual(verify().damage, [], `cut at ${length}`);
        }
      } finally {
        writeFileSync(path, good);
      }
    });
  }

  it('is damaged when meta.json says other numbers, or is of another block', () => {
    const path = join(blockDir, 'meta.json');
    const good = readFileSync(path, 'utf8');
    const complaints = (text: string): readonly string[] => {
      writeFileSync(path, text);
      return verify().damage.map((sentence) => sentence.replaceAll(blockDir, ''));
    };
    try {
      assert.deepEqual(complaints(good.replace('"numSamples": 20', '"numSamples": 21')), [
        ': meta.json says numSamples 21, found 20',
      ]);
      assert.match(complaints(good.replace(/"ulid": "../, '"ulid": "00')).join(), /meta.json is of the block 00/);
      assert.match(complaints(good.replace(`${START_MS}`, `${START_MS + 1}`)).join(), /lies outside of the block/);
      assert.match(complaints('{').join(), /meta.json: not JSON/);
    } finally {
      writeFileSync(path, good);
    }
  });
});
