import { getAt, text } from './json.ts';
import { asJson, type KubeObject } from './object.ts';
import type { ResourceType } from './resource-type.ts';
import { badRequest } from './status.ts';

/** True for an object that a label or field selector picks. */
export type Predicate = (object: KubeObject) => boolean;

interface LabelRequirement {
  key: string;
  operator: 'exists' | 'absent' | 'in' | 'notin';
  values: string[];
}

const EQUALITY = /^([^\s=!,()]+)\s*(==|=|!=)\s*([^\s,()]*)$/;
const SET = /^([^\s=!,()]+)\s+(in|notin)\s*\(([^()]*)\)$/;
const BARE = /^(!?)\s*([^\s=!,()]+)$/;

/** Splits at commas outside parentheses. */
function terms(selector: string): string[] {
  return selector
    .split(/,(?![^(]*\))/)
    .map((term) => term.trim())
    .filter((term) => term !== '');
}

function parseLabelTerm(term: string): LabelRequirement {
  const equality = EQUALITY.exec(term);
  if (equality !== null) {
    return { key: equality[1]!, operator: equality[2] === '!=' ? 'notin' : 'in', values: [equality[3]!] };
  }
  const set = SET.exec(term);
  if (set !== null) {
    const values = set[3]!.split(',').map((value) => value.trim());
    return { key: set[1]!, operator: set[2] === 'in' ? 'in' : 'notin', values };
  }
  const bare = BARE.exec(term);
  if (bare !== null) return { key: bare[2]!, operator: bare[1] === '!' ? 'absent' : 'exists', values: [] };
  throw badRequest(`unable to parse requirement: found '${term}'`);
}

/** Equality-based and set-based label selectors: `a=b,c!=d,e in (f,g),!h`. */
export function labelPredicate(selector: string): Predicate {
  const requirements = terms(selector).map(parseLabelTerm);
  return (object) =>
    requirements.every(({ key, operator, values }) => {
      const value = object.metadata.labels?.[key];
      switch (operator) {
        case 'exists':
          return value !== undefined;
        case 'absent':
          return value === undefined;
        case 'in':
          return value !== undefined && values.includes(value);
        case 'notin':
          return value === undefined || !values.includes(value);
      }
    });
}

/**
 * Field selectors: `spec.nodeName=a,status.phase!=Failed`. A field the type does not offer is a 400, as in Kubernetes.
 */
export function fieldPredicate(selector: string, type: ResourceType): Predicate {
  const requirements = terms(selector).map((term) => {
    const match = /^([^\s=!]+)\s*(==|=|!=)\s*(.*)$/.exec(term);
    if (match === null) throw badRequest(`invalid selector: '${selector}'; can't understand '${term}'`);
    const field = match[1]!;
    const allowed =
      field === 'metadata.name' || field === 'metadata.namespace' || type.selectableFields.includes(field);
    if (!allowed) throw badRequest(`field label not supported: ${field}`);
    return { path: field.split('.'), isEqual: match[2] !== '!=', value: match[3]! };
  });
  return (object) =>
    requirements.every(({ path, isEqual, value }) => (text(getAt(asJson(object), path)) === value) === isEqual);
}

/** Both selectors of a request's query. */
export function queryPredicate(query: URLSearchParams, type: ResourceType): Predicate {
  const labels = query.get('labelSelector');
  const fields = query.get('fieldSelector');
  const byLabel = labels === null ? undefined : labelPredicate(labels);
  const byField = fields === null ? undefined : fieldPredicate(fields, type);
  return (object) => (byLabel?.(object) ?? true) && (byField?.(object) ?? true);
}
