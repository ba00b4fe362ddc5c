import assert from 'node:assert/strict';

import { applyConfiguration } from '../../sandbox/apiserver/apply.ts';
import { builtinSchema } from '../../sandbox/apiserver/builtin-schema.ts';
import { FieldSet } from '../../sandbox/apiserver/field-set.ts';
import { updateManagedFields } from '../../sandbox/apiserver/managed-fields.ts';
import type { KubeObject } from '../../sandbox/apiserver/object.ts';
import type { Json } from '../../sandbox/apiserver/json.ts';

const SCHEMA = builtinSchema('V1Pod')!;
const TIME = '2026-01-01T00:00:00Z';

function pod(containers: Json): KubeObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: { containers } };
}

function apply(live: KubeObject | undefined, manager: string, config: KubeObject, force = false): KubeObject {
  const writer = { manager, operation: 'Apply' as const, apiVersion: 'v1' };
  return applyConfiguration(live, config, SCHEMA, { writer, force, time: TIME, ignores: () => false });
}

function containers(object: KubeObject): unknown {
  return (object.spec as { containers: unknown }).containers;
}

function owned(object: KubeObject, manager: string): Json | undefined {
  return object.metadata.managedFields?.find((entry) => entry.manager === manager)?.fieldsV1;
}

describe('server-side apply', () => {
  it('owns list entries by their keys, with the default of a key that is missing', () => {
    const applied = apply(undefined, 'one', pod([{ name: 'a', ports: [{ containerPort: 80 }] }]));
    assert.deepEqual(owned(applied, 'one'), {
      'f:spec': {
        'f:containers': {
          'k:{"name":"a"}': {
            '.': {},
            'f:name': {},
            'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
          },
        },
      },
    });
  });

  it('merges the containers of two owners, and removes only what its owner gives up', () => {
    const first = apply(undefined, 'one', pod([{ name: 'a', image: 'a:1', workingDir: '/a' }]));
    const both = apply(
      first,
      'two',
      pod([
        { name: 'b', image: 'b:1' },
        { name: 'a', workingDir: '/a' },
      ]),
    );
    assert.deepEqual(containers(both), [
      { name: 'a', image: 'a:1', workingDir: '/a' },
      { name: 'b', image: 'b:1' },
    ]);
    const given = apply(both, 'one', pod([{ name: 'a', image: 'a:2' }]));
    assert.deepEqual(containers(given), [
      { name: 'a', image: 'a:2', workingDir: '/a' },
      { name: 'b', image: 'b:1' },
    ]);
    const alone = apply(given, 'two', pod([]));
    assert.deepEqual(containers(alone), [{ name: 'a', image: 'a:2' }]);
  });

  it('refuses to change what another owns unless forced, and then takes it over', () => {
    const first = apply(undefined, 'one', pod([{ name: 'a', image: 'a:1' }]));
    const other = pod([{ name: 'a', image: 'a:2' }]);
    assert.throws(() => apply(first, 'two', other), {
      code: 409,
      message: 'Apply failed with 1 conflict: conflict with "one": .spec.containers[name="a"].image',
    });
    const forced = apply(first, 'two', other, true);
    assert.deepEqual(containers(forced), [{ name: 'a', image: 'a:2' }]);
    assert.throws(() => apply(forced, 'one', pod([{ name: 'a', image: 'a:3' }])), { code: 409 });
    assert.doesNotThrow(() => apply(forced, 'one', other));
  });

  it('conflicts with a field that an update wrote, and names the version', () => {
    const first = apply(undefined, 'one', pod([{ name: 'a', image: 'a:1' }]));
    const edited = { ...first, spec: { containers: [{ name: 'a', image: 'a:9' }] } };
    const writer = { manager: 'kubectl-edit', operation: 'Update' as const, apiVersion: 'v1' };
    const managedFields = updateManagedFields(first, edited, SCHEMA, writer, TIME);
    const stored = { ...edited, metadata: { ...edited.metadata, managedFields } };
    assert.ok(!JSON.stringify(owned(stored, 'one')).includes('f:image'), 'the first owner lost it');
    assert.ok(JSON.stringify(owned(stored, 'kubectl-edit')).includes('f:image'));
    assert.throws(() => apply(stored, 'one', pod([{ name: 'a', image: 'a:1' }])), {
      message: 'Apply failed with 1 conflict: conflict with "kubectl-edit" using v1: .spec.containers[name="a"].image',
    });
  });

  it('reads its own FieldsV1 back', () => {
    const fields = owned(apply(undefined, 'one', pod([{ name: 'a', env: [{ name: 'X', value: '1' }] }])), 'one');
    assert.deepEqual(FieldSet.fromFieldsV1(fields as Record<string, Json>).toFieldsV1(), fields);
  });
});
