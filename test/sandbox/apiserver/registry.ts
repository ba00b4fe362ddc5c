import { builtinTypes } from './builtin-types.ts';
import { getAt, isObject, type Json, list, text } from './json.ts';
import { asJson, type KubeObject } from './object.ts';
import { rootSchema } from './pruning.ts';
import { apiVersionOf, type PrinterColumn, type ResourceType } from './resource-type.ts';
import type { Schema } from './schema.ts';

/** The served resource types: the built-in table and what the stored CRDs add. */
export class Registry {
  #types: ResourceType[] = builtinTypes();
  #byPath = new Map<string, ResourceType>();
  /** Grows with every change of the served types: caches of documents key on it. */
  revision = 0;

  constructor() {
    this.#reindex();
  }

  all(): readonly ResourceType[] {
    return this.#types;
  }

  find(group: string, version: string, plural: string): ResourceType | undefined {
    return this.#byPath.get(`${group}/${version}/${plural}`);
  }

  byKind(apiVersion: string, kind: string): ResourceType | undefined {
    return this.#types.find((type) => type.kind === kind && apiVersionOf(type) === apiVersion);
  }

  /** The types of one stored resource, `group/plural`: one for each served version. */
  ofResource(resource: string): ResourceType[] {
    return this.#types.filter((type) => `${type.group}/${type.plural}` === resource);
  }

  /** Serves exactly the custom resources that these CRDs define, besides the built-in ones. */
  setCustomResources(definitions: readonly KubeObject[]): void {
    this.#types = [...this.#types.filter((type) => !type.isCustom), ...definitions.flatMap(typesOf)];
    this.#reindex();
  }

  #reindex(): void {
    this.#byPath = new Map(this.#types.map((type) => [`${type.group}/${type.version}/${type.plural}`, type]));
    this.revision += 1;
  }
}

/** One type for each served version of a CRD. */
function typesOf(definition: KubeObject): ResourceType[] {
  const crd = asJson(definition);
  const at = (...path: string[]): Json | undefined => getAt(crd, path);
  const strings = (...path: string[]): string[] => list(at(...path)).map(text);
  const kind = text(at('spec', 'names', 'kind'));
  return list(at('spec', 'versions'))
    .filter((version) => isObject(version) && version.served === true)
    .map((version) => {
      const schema = getAt(version, ['schema', 'openAPIV3Schema']) as Schema | undefined;
      return {
        group: text(at('spec', 'group')),
        version: text(getAt(version, ['name'])),
        kind,
        listKind: text(at('spec', 'names', 'listKind')) || `${kind}List`,
        plural: text(at('spec', 'names', 'plural')),
        singular: text(at('spec', 'names', 'singular')) || kind.toLowerCase(),
        shortNames: strings('spec', 'names', 'shortNames'),
        categories: strings('spec', 'names', 'categories'),
        namespaced: at('spec', 'scope') === 'Namespaced',
        hasStatus: getAt(version, ['subresources', 'status']) !== undefined,
        virtual: false,
        schema: schema === undefined ? undefined : rootSchema(schema),
        columns: columnsOf(version),
        selectableFields: list(getAt(version, ['selectableFields'])).map((field) =>
          text(getAt(field, ['jsonPath'])).replace(/^\./, ''),
        ),
        isCustom: true,
      };
    });
}

/** The declared columns, or the one that the API server shows without any. */
function columnsOf(version: Json): PrinterColumn[] {
  const declared = list(getAt(version, ['additionalPrinterColumns'])) as unknown as PrinterColumn[];
  if (declared.length > 0) return declared;
  return [{ name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }];
}
