import { child, isObject, type Json, type JsonObject, text } from './json.ts';
import { asJson, asObject, type KubeObject } from './object.ts';
import { defaulted, pruned, withoutNulls } from './pruning.ts';
import { apiVersionOf, type ResourceType } from './resource-type.ts';
import { ApiError, badRequest, type Cause, invalid } from './status.ts';
import { validate } from './validation.ts';

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const PATH_SEGMENT = /^[^/%]+$/;
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;

/**
 * Reads a request's body as an object of `type`: checks that it is one, drops fields that the schema does not know
 * (an error when `Strict`, a line in `warnings` when `Warn`).
 */
export function decodeObject(
  type: ResourceType,
  body: Json,
  fieldValidation: FieldValidation,
  warnings: string[],
): KubeObject {
  if (!isObject(body)) throw badRequest(`the body must be a JSON object, got ${JSON.stringify(body)?.slice(0, 80)}`);
  const apiVersion = text(body.apiVersion) || apiVersionOf(type);
  const kind = text(body.kind) || type.kind;
  if (kind !== type.kind || apiVersion !== apiVersionOf(type)) {
    const wanted = `${type.version}, Kind=${type.kind}`;
    throw badRequest(`the object provided is unrecognized: ${apiVersion}, Kind=${kind} does not match ${wanted}`);
  }
  const unknown: string[] = [];
  const metadata = withoutNulls(body.metadata ?? {});
  const bare: JsonObject = type.isCustom ? { ...body, metadata } : (withoutNulls(body) as JsonObject);
  const known = pruned({ ...bare, apiVersion, kind, metadata }, type.schema, unknown) as JsonObject;
  if (unknown.length > 0) {
    const complaints = unknown.map((path) => `unknown field "${path}"`);
    if (fieldValidation === 'Strict') throw cannotHandle(type, `strict decoding error: ${complaints.join(', ')}`);
    if (fieldValidation === 'Warn') warnings.push(...complaints);
  }
  if (!type.isCustom) checkGoTypes(type, known);
  return asObject(known);
}

function cannotHandle(type: ResourceType, why: string): ApiError {
  const message = `${type.kind} in version "${type.version}" cannot be handled as a ${type.kind}: ${why}`;
  return badRequest(message);
}

/** A value of a wrong type in a built-in object does not decode at all: 400, before any validation. */
function checkGoTypes(type: ResourceType, object: JsonObject): void {
  if (type.schema === undefined) return;
  const wrong = validate(object, type.schema).find((cause) => cause.reason === 'FieldValueTypeInvalid');
  if (wrong === undefined) return;
  const match = /must be of type (\S+): "(\S+)"$/.exec(wrong.message);
  const found = `json: cannot unmarshal ${match?.[2]} into Go struct field ${type.kind}.${wrong.field} of type ${match?.[1]}`;
  throw cannotHandle(type, found);
}

/** Fills in defaults and checks the object; throws 422 with every cause. */
export function admitObject(type: ResourceType, object: KubeObject): KubeObject {
  const complete = asObject(defaulted(asJson(object), type.schema));
  const causes = [...metadataCauses(type, complete)];
  if (type.schema !== undefined) causes.push(...validate(asJson(complete), type.schema));
  causes.push(...selectorCauses(type, complete));
  if (causes.length > 0) throw invalid(type, complete.metadata.name, causes);
  return complete;
}

function metadataCauses(type: ResourceType, { metadata }: KubeObject): Cause[] {
  const causes: Cause[] = [];
  const isRbac = type.group === 'rbac.authorization.k8s.io';
  if (!(isRbac ? PATH_SEGMENT : DNS_SUBDOMAIN).test(metadata.name) || metadata.name.length > 253) {
    const rule =
      'a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, ' +
      "'-' or '.', and must start and end with an alphanumeric character";
    const message = `Invalid value: ${JSON.stringify(metadata.name)}: ${rule}`;
    causes.push({ reason: 'FieldValueInvalid', field: 'metadata.name', message });
  }
  for (const value of Object.values(metadata.labels ?? {})) {
    if (LABEL_VALUE.test(value) && value.length <= 63) continue;
    const rule = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'";
    const message = `Invalid value: ${JSON.stringify(value)}: ${rule}`;
    causes.push({ reason: 'FieldValueInvalid', field: 'metadata.labels', message });
  }
  return causes;
}

/** A workload must select its own pods. */
function selectorCauses(type: ResourceType, object: KubeObject): Cause[] {
  if (type.group !== 'apps') return [];
  const spec = child(asJson(object), 'spec');
  const wanted = child(spec.selector, 'matchLabels');
  const labels = child(child(spec.template, 'metadata'), 'labels');
  if (spec.template === undefined || Object.entries(wanted).every(([key, value]) => labels[key] === value)) return [];
  const message = `Invalid value: ${JSON.stringify(labels)}: \`selector\` does not match template \`labels\``;
  return [{ reason: 'FieldValueInvalid', field: 'spec.template.metadata.labels', message }];
}
