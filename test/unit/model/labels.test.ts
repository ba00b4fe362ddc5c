import assert from 'node:assert/strict';
import { compareUtf8, Labels, LabelsBuilder, quote, sortUtf8 } from '../../../lib/model/index.ts';

describe('quoted text', () => {
  /** Printed by strconv.Quote. */
  const cases: readonly [text: string, quoted: string][] = [
    ['', '""'],
    ['plain text!', '"plain text!"'],
    ['a"b\\c\n\t\r\v\f\b\x07', String.raw`"a\"b\\c\n\t\r\v\f\b\a"`],
    ['\x00\x1f\x7f', String.raw`"\x00\x1f\x7f"`],
    ['é😀漢', '"é😀漢"'],
    ['a\u00a0b\u200b\ue000\u2028\ufeff\u{e0001}', String.raw`"a\u00a0b\u200b\ue000\u2028\ufeff\U000e0001"`],
    ['\u0301 \u20ac', '"\u0301 \u20ac"'],
    ['__proto__', '"__proto__"'],
  ];
  for (const [text, quoted] of cases) it(`is ${quoted}, as in Go`, () => assert.equal(quote(text), quoted));
});

describe('a label that is set', () => {
  const labels = Labels.of({ b: '1', d: '2', '😀': '3' });

  it('stands where its name belongs, and takes the place of one that was there', () => {
    for (const name of ['a', 'b', 'c', 'd', 'e', '\uffff', '😀', '😁']) {
      assert.deepEqual(labels.with(name, 'x'), new LabelsBuilder(labels).set(name, 'x').labels(), name);
    }
  });

  it('is removed by an empty value', () => {
    assert.deepEqual(labels.with('d', ''), Labels.of({ b: '1', '😀': '3' }));
    assert.equal(labels.with('c', ''), labels);
  });
});

describe('texts', () => {
  it('are sorted by their UTF-8 bytes', () => {
    const plain = ['b', '', 'a', 'é', 'ab', '\ud7ff', 'B', '10', '9'];
    for (const texts of [plain, [...plain, '\uffff'], [...plain, '\uffff', '😀', '\ue000'], ['\udc80', '😀']]) {
      const sorted = sortUtf8([...texts]);
      assert.deepEqual(sorted, [...texts].sort(compareUtf8));
      assert.deepEqual(
        sorted.filter((text) => text.isWellFormed()),
        sorted.filter((text) => text.isWellFormed()).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      );
    }
  });
});
