import assert from 'node:assert/strict';
import { seededRandom } from '../../../../lib/env/index.ts';
import { createKernels, layout } from '../../../../lib/kernels/index.ts';
import { HashTable } from '../../../../lib/tsdb/head/hash-table.ts';

describe('tsdb head: hash tables', function () {
  this.timeout(600_000);
  for (const [name, hashOf] of Object.entries({
    'even hashes': (random: () => number) => Math.floor(random() * 2 ** 32),
    'many equal hashes': (random: () => number) => Math.imul(Math.floor(random() * 50), 0x9e3779b1) >>> 0,
    'hashes that differ in their upper bits only': (random: () => number) => Math.floor(random() * 4096) * 2 ** 20,
  })) {
    it(`finds what was put in and not what was taken out, with ${name}, and shrinks again`, () => {
      const { arena } = createKernels();
      const random = seededRandom(7);
      const address = arena.allocate(layout.TABLE_SIZE);
      arena.u8.fill(0, address, address + layout.TABLE_SIZE);
      const before = arena.usedBytes;
      const table = new HashTable(arena, address);
      const empty = arena.usedBytes;
      const model = new Map<number, number>();
      const check = (): void => {
        assert.equal(table.size, model.size);
        for (const [value, hash] of model)
          assert.equal(
            table.find(hash, (found) => found === value),
            value,
          );
        assert.equal(
          table.find(hashOf(random), (found) => !model.has(found)),
          0,
        );
      };
      let next = 1;
      const perHash = new Map<number, number>();
      for (const [growth, steps] of [
        [0.8, 12_000],
        [0.2, 12_000],
        [0.7, 6_000],
      ] as const) {
        for (let step = 0; step < steps; step++) {
          if (random() < growth) {
            const hash = hashOf(random);
            // A hash that is the same for more than a segment holds cannot be split.
            if ((perHash.get(hash) ?? 0) >= 100) continue;
            perHash.set(hash, (perHash.get(hash) ?? 0) + 1);
            model.set(next, hash);
            table.insert(hash, next++);
          } else {
            const [value, hash] = [...model.entries()][Math.floor(random() * Math.min(model.size, 40))] ?? [];
            if (value === undefined) continue;
            perHash.set(hash!, perHash.get(hash!)! - 1);
            model.delete(value);
            table.remove(hash!, value);
          }
        }
        check();
      }
      assert.ok(arena.usedBytes > empty || name !== 'even hashes');
      for (const [value, hash] of model) table.remove(hash, value);
      assert.equal(table.size, 0);
      assert.equal(arena.usedBytes, empty, 'one segment is left');
      assert.ok(empty > before);
    });
  }
});
