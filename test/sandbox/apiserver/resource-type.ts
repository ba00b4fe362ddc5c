import type { KubeObject } from './object.ts';
import type { Schema } from './schema.ts';

/** A printer column, as CRDs declare them (`jsonPath`) and as the built-in table computes them (`value`). */
export interface PrinterColumn {
  name: string;
  type: string;
  format?: string;
  description?: string;
  /** Above 0: shown with `-o wide` only. */
  priority?: number;
  jsonPath: string;
}

/** One served resource of one version of a group. */
export interface ResourceType {
  group: string;
  version: string;
  kind: string;
  listKind: string;
  plural: string;
  singular: string;
  shortNames: string[];
  categories: string[];
  namespaced: boolean;
  hasStatus: boolean;
  /** Served verbs that are not storage: `create` answered at once, nothing stored. */
  virtual: boolean;
  schema: Schema | undefined;
  /** Columns that a CRD declares; undefined for built-in types, whose columns are in the table of `tables.ts`. */
  columns: PrinterColumn[] | undefined;
  /** Fields allowed in a field selector besides `metadata.name` and `metadata.namespace`. */
  selectableFields: string[];
  isCustom: boolean;
}

/** What names the stored objects: shared by every version of a resource. */
export function storageKey(type: ResourceType): string {
  return `${type.group}/${type.plural}`;
}

export function apiVersionOf(type: { group: string; version: string }): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`;
}

/** The verbs that discovery lists. */
export function verbsOf(type: ResourceType): string[] {
  if (type.virtual) return ['create'];
  return ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
}

/** The stored object as a version of its group presents it. */
export function inVersion(object: KubeObject, type: ResourceType): KubeObject {
  const apiVersion = apiVersionOf(type);
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}
