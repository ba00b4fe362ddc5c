import assert from 'node:assert/strict';

import { builtinSchema } from '../../sandbox/apiserver/builtin-schema.ts';
import type { Json } from '../../sandbox/apiserver/json.ts';
import { applyJsonPatch } from '../../sandbox/apiserver/json-patch.ts';
import { jsonPath } from '../../sandbox/apiserver/json-path.ts';
import { applyMergePatch, applyStrategicPatch } from '../../sandbox/apiserver/merge-patch.ts';
import { humanDuration } from '../../sandbox/apiserver/tables.ts';

describe('patches', () => {
  it('follow RFC 6902', () => {
    const cases: [patch: Json, wanted: Json][] = [
      [[{ op: 'add', path: '/list/1', value: 9 }], { list: [1, 9, 2], map: { a: 1 } }],
      [[{ op: 'add', path: '/list/-', value: 9 }], { list: [1, 2, 9], map: { a: 1 } }],
      [[{ op: 'remove', path: '/map/a' }], { list: [1, 2], map: {} }],
      [[{ op: 'move', from: '/map/a', path: '/b~1c' }], { list: [1, 2], map: {}, 'b/c': 1 }],
      [[{ op: 'copy', from: '/list', path: '/map/l' }], { list: [1, 2], map: { a: 1, l: [1, 2] } }],
      [
        [
          { op: 'test', path: '/list/0', value: 1 },
          { op: 'replace', path: '/list/0', value: 5 },
        ],
        { list: [5, 2], map: { a: 1 } },
      ],
    ];
    for (const [patch, wanted] of cases) {
      assert.deepEqual(applyJsonPatch({ list: [1, 2], map: { a: 1 } }, patch), wanted, JSON.stringify(patch));
    }
    const failing: Json[] = [
      [{ op: 'remove', path: '/none' }],
      [{ op: 'replace', path: '/none', value: 1 }],
      [{ op: 'test', path: '/list/0', value: 2 }],
      [{ op: 'add', path: '/list/7', value: 1 }],
    ];
    for (const patch of failing) {
      assert.throws(() => applyJsonPatch({ list: [1, 2] }, patch), { code: 422 }, JSON.stringify(patch));
    }
  });

  it('follow RFC 7386', () => {
    assert.deepEqual(applyMergePatch({ a: { b: 1, c: 2 }, d: [1] }, { a: { b: null, e: 3 }, d: [2] }), {
      a: { c: 2, e: 3 },
      d: [2],
    });
  });

  it('merge strategically by the keys of the type', () => {
    const schema = builtinSchema('V1PodSpec')!;
    const spec: Json = {
      containers: [
        {
          name: 'a',
          image: 'a:1',
          env: [
            { name: 'X', value: '1' },
            { name: 'Y', value: '2' },
          ],
        },
        { name: 'b', image: 'b:1' },
      ],
      tolerations: [{ key: 'k' }],
    };
    const patch: Json = {
      '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }],
      containers: [
        {
          name: 'a',
          env: [
            { name: 'X', $patch: 'delete' },
            { name: 'Z', value: '3' },
          ],
        },
        { name: 'b', $patch: 'delete' },
        { name: 'c', image: 'c:1' },
      ],
      tolerations: [{ key: 'other' }],
    };
    assert.deepEqual(applyStrategicPatch(spec, patch, schema), {
      containers: [
        { name: 'c', image: 'c:1' },
        {
          name: 'a',
          image: 'a:1',
          env: [
            { name: 'Y', value: '2' },
            { name: 'Z', value: '3' },
          ],
        },
      ],
      tolerations: [{ key: 'other' }],
    });
    const meta = builtinSchema('V1ObjectMeta')!;
    const finalizers = { finalizers: ['c'], '$deleteFromPrimitiveList/finalizers': ['a'] };
    assert.deepEqual(applyStrategicPatch({ finalizers: ['a', 'b'] }, finalizers, meta), { finalizers: ['b', 'c'] });
  });
});

describe('printer columns', () => {
  it('find values by JSONPath', () => {
    const object: Json = {
      spec: {
        ports: [
          { name: 'a', port: 1 },
          { name: 'b', port: 2 },
        ],
      },
      metadata: { labels: { 'app.kubernetes.io/name': 'x' } },
    };
    const cases: [path: string, wanted: Json[]][] = [
      ['.spec.ports[0].port', [1]],
      ['.spec.ports[-1].port', [2]],
      ['.spec.ports[*].name', ['a', 'b']],
      ['.spec.ports[?(@.name=="b")].port', [2]],
      ['.metadata.labels.app\\.kubernetes\\.io/name', ['x']],
      [".metadata.labels['app.kubernetes.io/name']", ['x']],
      ['.spec.none', []],
    ];
    for (const [path, wanted] of cases) assert.deepEqual(jsonPath(object, path), wanted, path);
  });

  it('shorten ages as kubectl does', () => {
    const cases: [seconds: number, wanted: string][] = [
      [0, '0s'],
      [119, '119s'],
      [125, '2m5s'],
      [11 * 60, '11m'],
      [3 * 3600 + 1200, '3h20m'],
      [30 * 3600, '30h'],
      [52 * 3600, '2d4h'],
      [100 * 86_400, '100d'],
      [800 * 86_400, '2y70d'],
    ];
    for (const [seconds, wanted] of cases) assert.equal(humanDuration(seconds * 1000), wanted);
  });
});
