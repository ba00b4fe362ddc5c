import assert from 'node:assert/strict';
import { Labels } from '../../../../lib/model/index.ts';
import { Engine } from '../../../../lib/promql/index.ts';
import type { Queryable } from '../../../../lib/storage/index.ts';
import { MemoryStorage } from '../../../conformance/promqltest/memory-storage.ts';

const STEP_MS = 15_000;
const END_MS = 400 * STEP_MS;

/** 20 series of 400 samples, of which 20 are in five minutes. */
function storage(): MemoryStorage {
  const out = new MemoryStorage();
  for (let i = 0; i < 20; i++) {
    for (let s = 1; s <= 400; s++) out.add(Labels.of({ __name__: 'x_total', i: `${i}` }), s * STEP_MS, s * i);
  }
  return out;
}

/** @returns how often series were asked for, and the most samples that were held at a time */
async function readings(query: string): Promise<{ selections: number; samples: number }> {
  const inner = storage();
  let selections = 0;
  const queryable: Queryable = {
    querier(minMs, maxMs) {
      const querier = inner.querier(minMs, maxMs);
      const select: typeof querier.select = (...args) => {
        selections++;
        return querier.select(...args);
      };
      return { ...querier, select, close: () => querier.close() };
    },
  };
  const { samples } = await new Engine().instant(queryable, query, END_MS, { countSamples: true });
  return { selections, samples: samples!.peak };
}

describe('promql: selectors of one query', () => {
  for (const query of [
    'sum(x_total) / count(x_total)',
    'sum(rate(x_total[5m])) / count(x_total)',
    'sum(x_total offset 1h) / count(x_total offset 60m)',
    'sum(x_total) / count(x_total @ end())',
  ]) {
    const areSame = !query.includes('@');
    it(`${query}: ${areSame ? 'what both read is kept' : 'each reads its own'}`, async () => {
      const { selections, samples } = await readings(query);
      assert.equal(selections, areSame ? 1 : 2);
      assert.equal(samples >= 400, areSame, `${samples} samples`);
    });
  }

  for (const query of [
    'sum(rate(x_total[5m])) / sum(rate(x_total[5m] offset 1h))',
    'sum(rate(x_total[2m])) / sum(rate(x_total[4m]))',
    'sum(x_total) - sum(x_total offset 1h)',
    'sum(x_total{i=~".+"}) - sum(x_total)',
  ]) {
    it(`${query}: each reads its own, and keeps nothing`, async () => {
      const { selections, samples } = await readings(query);
      assert.equal(selections, 2);
      assert.ok(samples < 100, `${samples} samples`);
    });
  }
});
