import assert from 'node:assert/strict';
import { bytesOf, createSlots, SlotWriter } from '../../../../agent/query/slots.ts';
import type { Piece } from '../../../../lib/api/index.ts';

describe('agent: slots for pieces of an answer', () => {
  const text = '😀aüb'.repeat(40_000);

  for (const kind of ['text', 'bytes'] as const) {
    it(`fill with ${kind} and cut no character`, () => {
      for (let shift = 0; shift < 8; shift++) {
        const piece: Piece = kind === 'text' ? text : Buffer.from(text);
        const slots = createSlots();
        let found = '';
        let filled = 0;
        const writer = new SlotWriter(slots);
        // eslint-disable-next-line unicorn/no-array-fill-with-reference-type
        for (const one of writer.fill(['x'.repeat(shift), piece])) {
          found += Buffer.from(bytesOf(slots, one)).toString();
          filled++;
        }
        assert.ok(filled > 2);
        assert.equal(found, 'x'.repeat(shift) + text);
      }
    });
  }
});
