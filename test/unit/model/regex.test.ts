import assert from 'node:assert/strict';
import { RE2JS } from 're2js';
import { type Random, seededRandom } from '../../../lib/env/index.ts';
import { compileRegex } from '../../../lib/model/index.ts';

const PIECES = [
  'a',
  'b',
  'ab',
  'aba',
  '\\.',
  '\\-',
  '\\|',
  '-',
  '.*',
  '.+',
  '|',
  '😀',
  'é',
  ' ',
  '.',
  'a*',
  '(',
  ')',
  '?',
  '\\d',
];
/** With what the literals that a regex needs are looked for among. */
const GENERAL = [
  ...PIECES,
  '[ab]',
  '[^a]',
  '[]a-]',
  '[[:alpha:].]',
  '[\\]b]',
  '(?:a|b)',
  '(?P<x>b)',
  '(a(b)?[)])',
  '(?i)A',
  '(?i:A)',
  '{2}',
  '{1,2}',
  '*',
  '+',
  '+?',
  '^',
  '$',
  '\\w',
  '\\b',
  '\\x61',
  '\\Qa.\\E',
  '\\pL',
  '\\n',
];
const CHARACTERS = ['a', 'b', 'ab', '.', '-', '|', '\n', '😀', 'é', ' ', '1', '\udc80'];

function joined(random: Random, pieces: readonly string[], most: number, favoured: number): string {
  const count = Math.floor(random() * (most + 1));
  return Array.from({ length: count }, () => {
    const among = random() < 0.8 ? favoured : pieces.length;
    return pieces[Math.floor(random() * among)]!;
  }).join('');
}

describe('a regex', () => {
  it('matches what RE2 matches, whichever way it is run', () => {
    assert.ok(compareWithRe2(1, PIECES, 11) > 4000);
  });

  it('matches what RE2 matches when only some literals are known of it', () => {
    assert.ok(compareWithRe2(2, GENERAL, GENERAL.length) > 3000);
  });

  /** @returns how many texts were matched */
  function compareWithRe2(seed: number, pieces: readonly string[], favoured: number): number {
    const random = seededRandom(seed);
    let compiled = 0;
    let matched = 0;
    for (let i = 0; i < 6000; i++) {
      let pattern = joined(random, pieces, 7, favoured);
      if (random() < 0.2) pattern = `(${pattern})`;
      let expected: RE2JS;
      try {
        expected = RE2JS.compile(pattern, RE2JS.DOTALL);
      } catch {
        assert.throws(() => compileRegex(pattern), { code: 'model/bad-regex' });
        continue;
      }
      const regex = compileRegex(pattern);
      compiled++;
      for (let k = 0; k < 12; k++) {
        const text = joined(random, CHARACTERS, 6, 4);
        const matches = expected.matches(text);
        const where = `${JSON.stringify(pattern)} on ${JSON.stringify(text)}`;
        assert.equal(regex.matches(text), matches, where);
        assert.equal(regex.submatches(text) !== undefined, matches, where);
        if (regex.set !== undefined) assert.equal(regex.set.includes(text), matches, where);
        if (!matches) continue;
        matched++;
        assert.ok(text.startsWith(regex.prefix), where);
        if (pattern.startsWith('(') && pattern.endsWith(')')) {
          const matcher = expected.matcher(text);
          assert.ok(matcher.matches());
          const groups = Array.from({ length: matcher.groupCount() + 1 }, (_, group) => matcher.group(group) ?? '');
          assert.deepEqual(regex.submatches(text), groups, where);
        }
      }
    }
    assert.ok(compiled > 2000, String(compiled));
    return matched;
  }

  it('is known by the texts it can match when they are few, and by how they begin', () => {
    assert.deepEqual(compileRegex('a|b\\.c|').set, ['a', 'b.c', '']);
    assert.deepEqual(compileRegex('(10\\.0\\.0\\.1:80)').set, ['10.0.0.1:80']);
    assert.equal(compileRegex('10\\.0.*9.+').prefix, '10.0');
    assert.equal(compileRegex('a.*|ab').prefix, '');
    for (const pattern of ['a.*', '.+', 'a|b.*', '.*a.*b']) assert.equal(compileRegex(pattern).set, undefined);
  });

  it('is known by the literals that all it matches has', () => {
    const literals = (pattern: string): readonly string[] | undefined => compileRegex(pattern).needed?.literals;
    assert.deepEqual(literals('.*a[0-9]7'), ['', 'a', '7']);
    assert.deepEqual(literals('pod-(a|b)+-x?y+z\\.[^]\\]c](?:d)'), ['pod-', '-', 'y', 'z.', '']);
    assert.deepEqual(literals('ab*😀{2}c\\d.+d{1,}?'), ['a', 'c', '']);
    for (const pattern of ['a|b.', '(?i)ab.', '\\Qa\\E.', '[ab]', 'a\\x61.', `.a{2}${'x'.repeat(65)}.`]) {
      assert.equal(literals(pattern), undefined, pattern);
    }
  });

  it('seeks many and long literals in a long text in time that grows with it', () => {
    const text = 'a'.repeat(20_000);
    for (const pattern of [`.*${'a'.repeat(63)}b.*`, '.*aab'.repeat(2000), `(${'.*aaab.*|'.repeat(200)}.*ab)`]) {
      assert.equal(compileRegex(pattern).matches(text), false);
    }
  });
});
