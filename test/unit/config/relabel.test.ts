import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { isValidLabelName, relabel, type RelabelConfig } from '../../../lib/config/index.ts';
import { Labels } from '../../../lib/model/index.ts';

type Case = readonly [
  what: string,
  labels: Record<string, string>,
  rules: readonly RelabelConfig[],
  expected: Record<string, string> | undefined,
];

const AB = { a: 'foo', b: 'bar', c: 'baz' };

const CASES: readonly Case[] = [
  ['no rules change nothing', AB, [], AB],
  [
    'replace: groups of the joined sources are expanded',
    AB,
    [{ source_labels: ['a', 'b'], regex: 'f(.*);(.*)r', target_label: 'd', replacement: 'ch${1}-ch${2}' }],
    { ...AB, d: 'choo-chba' },
  ],
  [
    'replace: named groups, $$ and unknown groups',
    { a: 'foo' },
    [{ source_labels: ['a'], regex: '(?P<head>f)(.*)', target_label: 'd', replacement: '$head-$$-${2}-$9-$1x-$' }],
    { a: 'foo', d: 'f-$-oo---$' },
  ],
  [
    'replace: the regex is anchored',
    { a: 'foo' },
    [{ source_labels: ['a'], regex: 'fo', target_label: 'd' }],
    { a: 'foo' },
  ],
  [
    'replace: the dot matches a newline',
    { a: 'f\no' },
    [{ source_labels: ['a'], regex: 'f.o', target_label: 'd', replacement: 'x' }],
    { a: 'f\no', d: 'x' },
  ],
  [
    'replace: an empty result deletes the target',
    AB,
    [{ source_labels: ['x'], target_label: 'a' }],
    { b: 'bar', c: 'baz' },
  ],
  ['replace: defaults copy the source', AB, [{ source_labels: ['a'], target_label: 'd' }], { ...AB, d: 'foo' }],
  ['replace: without sources it sets a constant', AB, [{ target_label: 'd', replacement: 'x' }], { ...AB, d: 'x' }],
  [
    'replace: a group around all of it',
    { a: 'xy' },
    [{ source_labels: ['a'], regex: '(xy|z)', target_label: 'd', replacement: '$1$0' }],
    { a: 'xy', d: 'xyxy' },
  ],
  [
    'replace: the target may hold groups',
    { a: 'some-job' },
    [{ source_labels: ['a'], regex: 'some-(.*)', target_label: '$1', replacement: 'x' }],
    { a: 'some-job', job: 'x' },
  ],
  [
    'replace: an empty target name is left alone',
    { a: 'foo' },
    [{ source_labels: ['a'], target_label: '$7', replacement: 'x' }],
    { a: 'foo' },
  ],
  ['keep: a match stays', AB, [{ source_labels: ['a'], regex: 'f.*', action: 'keep' }], AB],
  ['keep: anything else goes', AB, [{ source_labels: ['a'], regex: 'no', action: 'keep' }], undefined],
  ['drop: a match goes', AB, [{ source_labels: ['a'], regex: '.*o.*', action: 'drop' }], undefined],
  ['drop: anything else stays', AB, [{ source_labels: ['a'], regex: 'f', action: 'drop' }], AB],
  ['drop: an absent label is empty', AB, [{ source_labels: ['x'], regex: '', action: 'drop' }], undefined],
  [
    'keepequal: equal stays',
    { a: 'x', b: 'x' },
    [{ source_labels: ['a'], target_label: 'b', action: 'keepequal' }],
    { a: 'x', b: 'x' },
  ],
  ['keepequal: other goes', AB, [{ source_labels: ['a'], target_label: 'b', action: 'keepequal' }], undefined],
  [
    'dropequal: equal goes',
    { a: 'x', b: 'x' },
    [{ source_labels: ['a'], target_label: 'b', action: 'dropequal' }],
    undefined,
  ],
  ['dropequal: other stays', AB, [{ source_labels: ['a'], target_label: 'b', action: 'dropequal' }], AB],
  [
    'labelmap: copies under the expanded name',
    { a: 'foo', b1: 'bar', b2: 'baz' },
    [{ regex: '(b.*)', action: 'labelmap', replacement: 'bar_$1' }],
    { a: 'foo', b1: 'bar', b2: 'baz', bar_b1: 'bar', bar_b2: 'baz' },
  ],
  [
    'labelmap: what it adds is not mapped again',
    { a: 'x' },
    [{ regex: '(a.*)', action: 'labelmap', replacement: 'a$1' }],
    { a: 'x', aa: 'x' },
  ],
  [
    'labelmap: meta labels of pods',
    { __meta_kubernetes_pod_label_app: 'web' },
    [{ regex: '__meta_kubernetes_pod_label_(.+)', action: 'labelmap' }],
    { __meta_kubernetes_pod_label_app: 'web', app: 'web' },
  ],
  ['labeldrop', { a: 'x', b1: 'y', b2: 'z' }, [{ regex: 'b.*', action: 'labeldrop' }], { a: 'x' }],
  ['labelkeep', { a: 'x', b1: 'y', b2: 'z' }, [{ regex: 'b.*', action: 'labelkeep' }], { b1: 'y', b2: 'z' }],
  [
    'lowercase, letter by letter',
    { a: 'FOÄß' },
    [{ source_labels: ['a'], target_label: 'd', action: 'lowercase' }],
    { a: 'FOÄß', d: 'foäß' },
  ],
  [
    'uppercase, letter by letter as Go',
    { a: 'foäß' },
    [{ source_labels: ['a'], target_label: 'd', action: 'uppercase' }],
    { a: 'foäß', d: 'FOÄß' },
  ],
  // Values of Prometheus's own relabel tests.
  [
    'hashmod as Prometheus',
    AB,
    [{ source_labels: ['c'], target_label: 'd', action: 'hashmod', modulus: 1000 }],
    { ...AB, d: '976' },
  ],
  [
    'hashmod of several lines as Prometheus',
    { a: 'foo\nbar' },
    [{ source_labels: ['a'], target_label: 'b', action: 'hashmod', modulus: 1000 }],
    { a: 'foo\nbar', b: '734' },
  ],
  [
    'rules work on what the ones before made',
    { a: 'x' },
    [
      { source_labels: ['a'], target_label: 'b' },
      { source_labels: ['b'], target_label: 'c', replacement: '$1$1' },
      { regex: 'a|b', action: 'labeldrop' },
    ],
    { c: 'xx' },
  ],
  [
    '__proto__ is a label like any other',
    JSON.parse('{"__proto__":"x"}') as Record<string, string>,
    [{ source_labels: ['__proto__'], target_label: 'b' }],
    JSON.parse('{"__proto__":"x","b":"x"}') as Record<string, string>,
  ],
];

describe('config: relabelling', () => {
  for (const [what, labels, rules, expected] of CASES) {
    it(what, () => {
      const result = relabel(Labels.of(Object.entries(labels)), rules);
      assert.deepEqual(result?.toString(), expected && Labels.of(Object.entries(expected)).toString());
    });
  }

  it('takes the exact remainder of the 64-bit hash for every modulus', () => {
    for (const modulus of [1, 2, 3, 7, 1000, 4_294_967_291, 2 ** 45 - 55, 2 ** 45]) {
      const digest = createHash('md5').update('some value').digest();
      const exact = digest.readBigUInt64BE(8) % BigInt(modulus);
      const rule: RelabelConfig = { source_labels: ['a'], target_label: 'h', action: 'hashmod', modulus };
      assert.equal(relabel(Labels.of({ a: 'some value' }), [rule])!.get('h'), String(exact));
    }
  });

  it('stops rules that double a value without end', () => {
    const double: RelabelConfig = { source_labels: ['a'], target_label: 'a', replacement: '$1$1' };
    const rules = Array.from({ length: 64 }, () => double);
    assert.throws(() => relabel(Labels.of({ a: 'xxxxxxxx' }), rules), { code: 'config/relabel-too-long' });
  });

  it('answers a regex that is exponential elsewhere', () => {
    const rule: RelabelConfig = { source_labels: ['a'], regex: '(a+)+b', action: 'keep' };
    assert.equal(relabel(Labels.of({ a: 'a'.repeat(20_000) }), [rule]), undefined);
  });

  it('takes any text as a name under utf8 and only the old syntax under legacy', () => {
    assert.equal(isValidLabelName('a.b', 'utf8'), true);
    assert.equal(isValidLabelName('a.b', 'legacy'), false);
    assert.equal(isValidLabelName('', 'utf8'), false);
    const rule: RelabelConfig = { source_labels: ['a'], target_label: '$1', replacement: 'x' };
    const labels = Labels.of({ a: 'dotted.name' });
    assert.equal(relabel(labels, [rule], 'utf8')!.get('dotted.name'), 'x');
    assert.equal(relabel(labels, [rule], 'legacy')!.size, 1);
  });
});
