import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import {
  formatCustomResourceDefinition,
  RESOURCES,
  toCustomResourceDefinition,
} from '../../operator/resources/index.ts';

const root = new URL('../../', import.meta.url);
/** kubectl keeps the applied object in an annotation; the API server takes 262,144 bytes of annotations. */
const MAX_ANNOTATION_BYTES = 262_144;

type Schema = Record<string, unknown>;

interface Version {
  readonly schema: { readonly openAPIV3Schema: Schema };
  readonly subresources: object;
}

function sorted(names: readonly string[]): string[] {
  return names.toSorted((a, b) => (a < b ? -1 : 1));
}

function version(definition: unknown): Version {
  return (definition as { spec: { versions: [Version] } }).spec.versions[0];
}

/** The schema as data that compares: no descriptions, keyword lists sorted, null where our status goes further. */
function comparable(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(comparable);
  if (typeof schema !== 'object' || schema === null) return schema;
  const out: Schema = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'description' && typeof value === 'string') continue;
    out[key] = (key === 'required' || key === 'enum') && Array.isArray(value) ? sorted(value) : comparable(value);
  }
  return out;
}

describe('crds', () => {
  for (const resource of RESOURCES) {
    const file = `${resource.group}_${resource.plural}.yaml`;

    describe(file, () => {
      it('is what the schemas generate (else run `npm run crds`)', () => {
        const generated = formatCustomResourceDefinition(resource);
        assert.equal(readFileSync(new URL(`crds/${file}`, root), 'utf8'), generated);
        assert.equal(readFileSync(new URL(`charts/promlet/crds/${file}`, root), 'utf8'), generated);
      });

      it('is small enough for kubectl apply, with room to grow', () => {
        assert.ok(JSON.stringify(toCustomResourceDefinition(resource)).length < MAX_ANNOTATION_BYTES / 4);
      });

      it("has exactly the spec that prometheus-operator's own CRD has", () => {
        const upstream = new URL(`test/conformance/prometheus-operator/crds/${resource.plural}.yaml`, root);
        const theirs = version(parse(readFileSync(upstream, 'utf8'))).schema.openAPIV3Schema;
        const ours = version(toCustomResourceDefinition(resource)).schema.openAPIV3Schema;
        const field = (schema: Schema, name: string) => comparable((schema.properties as Schema)[name]);
        assert.deepEqual(field(ours, 'spec'), field(theirs, 'spec'));

        const status = field(ours, 'status') as { properties: Schema };
        delete status.properties.conditions;
        assert.deepEqual(withoutMinLength(status), withoutMinLength(field(theirs, 'status')));
      });

      it('shows the Accepted condition and has a status subresource', () => {
        const { subresources } = version(toCustomResourceDefinition(resource));
        assert.deepEqual(subresources, { status: {} });
      });
    });
  }

  it('are one file per resource, in both folders', () => {
    const names = RESOURCES.map(({ group, plural }) => `${group}_${plural}.yaml`).toSorted();
    assert.deepEqual(readdirSync(new URL('crds/', root)).toSorted(), names);
    assert.deepEqual(readdirSync(new URL('charts/promlet/crds/', root)).toSorted(), names);
  });
});

/** Upstream bounds the length of an enumerated string, which says nothing. */
function withoutMinLength(schema: unknown): unknown {
  return JSON.parse(JSON.stringify(schema, (key, value: unknown) => (key === 'minLength' ? undefined : value)));
}
