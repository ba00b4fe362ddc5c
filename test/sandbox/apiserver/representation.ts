import type { JsonObject } from './json.ts';
import type { ListPage } from './list.ts';
import { asJson, type KubeObject } from './object.ts';
import { apiVersionOf, type ResourceType } from './resource-type.ts';
import { columnDefinitions, partialMetadata, tableRow } from './tables.ts';

/** How a client wants to see objects, from its `Accept` header. */
export type Representation = 'object' | 'table' | 'metadata';

export function representationOf(accept: string): Representation {
  for (const choice of accept.split(',')) {
    if (/as=Table(;|$)/.test(choice)) return 'table';
    if (/as=PartialObjectMetadata(List)?(;|$)/.test(choice)) return 'metadata';
    if (/^\s*(application\/json|\*\/\*|application\/\*)\s*(;q=[\d.]+)?$/.test(choice)) return 'object';
  }
  return 'object';
}

/** What a request needs to know to write objects. */
export interface View {
  type: ResourceType;
  representation: Representation;
  /** `None`, `Metadata` (the default) or `Object`: what a table's rows carry. */
  includeObject: string;
  nowMs: number;
}

function table(view: View, objects: readonly KubeObject[], metadata: JsonObject, withColumns: boolean): JsonObject {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: withColumns ? columnDefinitions(view.type) : null,
    rows: objects.map((object) => tableRow(view.type, object, view.includeObject, view.nowMs)),
  };
}

/** One object; in a watch, only the first table carries its columns. */
export function presentObject(view: View, object: KubeObject, withColumns = true): JsonObject {
  switch (view.representation) {
    case 'object':
      return asJson(object);
    case 'metadata':
      return partialMetadata(object);
    case 'table':
      return table(view, [object], { resourceVersion: object.metadata.resourceVersion! }, withColumns);
  }
}

export function presentList(view: View, page: ListPage): JsonObject {
  const metadata: JsonObject = {
    resourceVersion: page.resourceVersion,
    ...(page.continueToken === undefined ? {} : { continue: page.continueToken }),
    ...(page.remainingItemCount === undefined ? {} : { remainingItemCount: page.remainingItemCount }),
  };
  switch (view.representation) {
    case 'table':
      return table(view, page.items, metadata, true);
    case 'metadata':
      return {
        kind: 'PartialObjectMetadataList',
        apiVersion: 'meta.k8s.io/v1',
        metadata,
        items: page.items.map(partialMetadata),
      };
    case 'object': {
      const { type } = view;
      // As in Kubernetes: items of built-in lists come without their type, custom ones with it.
      const items = page.items.map(({ apiVersion, kind, ...rest }) =>
        type.isCustom ? { apiVersion, kind, ...rest } : rest,
      ) as unknown as JsonObject[];
      return { kind: type.listKind, apiVersion: apiVersionOf(type), metadata, items };
    }
  }
}
