import { RE2JS } from 're2js';

import { equal, isObject, type Json } from './json.ts';
import type { Schema } from './schema.ts';
import type { Cause } from './status.ts';

/**
 * Checks a value against a structural schema; the causes read as the API server words them. CEL rules
 * (`x-kubernetes-validations`) are not evaluated.
 */
export function validate(value: Json, schema: Schema, path = ''): Cause[] {
  const causes: Cause[] = [];
  if (value === null) {
    if (schema.nullable !== true && hasType(schema)) causes.push(typeCause(path, 'null', expectedType(schema)));
    return causes;
  }
  if (!isOfType(value, schema)) return [typeCause(path, typeName(value), expectedType(schema))];
  if (schema.enum !== undefined && !schema.enum.some((allowed) => equal(allowed, value))) {
    const supported = schema.enum.map((allowed) => JSON.stringify(allowed)).join(', ');
    causes.push(
      cause(
        'FieldValueNotSupported',
        path,
        `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported}`,
      ),
    );
  }
  if (typeof value === 'string') checkString(value, schema, path, causes);
  else if (typeof value === 'number') checkNumber(value, schema, path, causes);
  else if (Array.isArray(value)) checkArray(value, schema, path, causes);
  else if (isObject(value)) checkObject(value, schema, path, causes);
  checkCombinations(value, schema, path, causes);
  return causes;
}

function cause(reason: string, field: string, message: string): Cause {
  return { reason, field: field === '' ? '<nil>' : field, message };
}

/** `Invalid value: VALUE: PATH in body RULE`. */
function broken(value: Json, path: string, rule: string): Cause {
  return cause('FieldValueInvalid', path, `Invalid value: ${JSON.stringify(value)}: ${path} in body ${rule}`);
}

function typeCause(path: string, got: string, expected: string): Cause {
  const message = `Invalid value: "${got}": ${path} in body must be of type ${expected}: "${got}"`;
  return cause('FieldValueTypeInvalid', path, message);
}

function hasType(schema: Schema): boolean {
  return schema.type !== undefined || schema['x-kubernetes-int-or-string'] === true;
}

function expectedType(schema: Schema): string {
  return schema['x-kubernetes-int-or-string'] === true ? 'integer,string' : (schema.type ?? 'object');
}

function typeName(value: Json): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function isOfType(value: Json, schema: Schema): boolean {
  if (schema['x-kubernetes-int-or-string'] === true) return typeof value === 'string' || Number.isInteger(value);
  switch (schema.type) {
    case undefined:
      return true;
    case 'integer':
      return Number.isInteger(value);
    case 'number':
      return typeof value === 'number';
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    default:
      return typeof value === schema.type;
  }
}

const patterns = new Map<string, RE2JS>();

function checkString(value: string, schema: Schema, path: string, causes: Cause[]): void {
  const length = Array.from(value).length;
  if (schema.minLength !== undefined && length < schema.minLength) {
    causes.push(broken(value, path, `should be at least ${schema.minLength} chars long`));
  }
  if (schema.maxLength !== undefined && length > schema.maxLength) {
    causes.push(cause('FieldValueTooLong', path, `Too long: may not be more than ${schema.maxLength} bytes`));
  }
  if (schema.pattern !== undefined) {
    let pattern = patterns.get(schema.pattern);
    if (pattern === undefined) patterns.set(schema.pattern, (pattern = RE2JS.compile(schema.pattern)));
    if (!pattern.matcher(value).find()) causes.push(broken(value, path, `should match '${schema.pattern}'`));
  }
  if (schema.format === 'date-time' && Number.isNaN(Date.parse(value))) {
    causes.push(broken(value, path, `must be of type date-time: ${JSON.stringify(value)}`));
  }
}

function checkNumber(value: number, schema: Schema, path: string, causes: Cause[]): void {
  const { minimum, maximum, multipleOf } = schema;
  if (minimum !== undefined) {
    const isExclusive = schema.exclusiveMinimum === true;
    if (value < minimum || (isExclusive && value === minimum)) {
      causes.push(broken(value, path, `should be greater than ${isExclusive ? '' : 'or equal to '}${minimum}`));
    }
  }
  if (maximum !== undefined) {
    const isExclusive = schema.exclusiveMaximum === true;
    if (value > maximum || (isExclusive && value === maximum)) {
      causes.push(broken(value, path, `should be less than ${isExclusive ? '' : 'or equal to '}${maximum}`));
    }
  }
  if (multipleOf !== undefined && !Number.isInteger(value / multipleOf)) {
    causes.push(broken(value, path, `should be a multiple of ${multipleOf}`));
  }
}

function checkArray(value: Json[], schema: Schema, path: string, causes: Cause[]): void {
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    const rule = `${path} in body should have at least ${schema.minItems} items`;
    causes.push(cause('FieldValueInvalid', path, `Invalid value: ${value.length}: ${rule}`));
  }
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    causes.push(
      cause('FieldValueTooMany', path, `Too many: ${value.length}: must have at most ${schema.maxItems} items`),
    );
  }
  const keys = schema['x-kubernetes-list-map-keys'];
  const isUnique = schema['x-kubernetes-list-type'] === 'set' || schema['x-kubernetes-list-type'] === 'map';
  const seen = new Set<string>();
  for (const [i, entry] of value.entries()) {
    const here = `${path}[${i}]`;
    if (schema.items !== undefined) causes.push(...validate(entry, schema.items, here));
    if (!isUnique) continue;
    const id = JSON.stringify(
      keys === undefined
        ? entry
        : Object.fromEntries(keys.map((key) => [key, isObject(entry) ? entry[key] : undefined])),
    );
    if (seen.has(id)) causes.push(cause('FieldValueDuplicate', here, `Duplicate value: ${id}`));
    seen.add(id);
  }
}

function checkObject(value: Record<string, Json | undefined>, schema: Schema, path: string, causes: Cause[]): void {
  const at = (key: string): string => (path === '' ? key : `${path}.${key}`);
  for (const key of schema.required ?? []) {
    if (value[key] === undefined) causes.push(cause('FieldValueRequired', at(key), 'Required value'));
  }
  const size = Object.keys(value).length;
  if (schema.minProperties !== undefined && size < schema.minProperties) {
    causes.push(broken(size, path, `should have at least ${schema.minProperties} properties`));
  }
  if (schema.maxProperties !== undefined && size > schema.maxProperties) {
    causes.push(cause('FieldValueTooMany', path, `Too many: ${size}: must have at most ${schema.maxProperties} items`));
  }
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const property = schema.properties?.[key];
    if (property !== undefined) causes.push(...validate(member, property, at(key)));
    else if (typeof schema.additionalProperties === 'object') {
      causes.push(...validate(member, schema.additionalProperties, at(key)));
    }
  }
}

function checkCombinations(value: Json, schema: Schema, path: string, causes: Cause[]): void {
  const combination = (rule: string): Cause => cause('FieldValueInvalid', path, `Invalid value: "": "${path}" ${rule}`);
  const validCount = (schemas: readonly Schema[]): number =>
    schemas.filter((one) => validate(value, one, path).length === 0).length;
  for (const part of schema.allOf ?? []) causes.push(...validate(value, part, path));
  if (schema.anyOf !== undefined && validCount(schema.anyOf) === 0) {
    causes.push(combination('must validate at least one schema (anyOf)'));
  }
  if (schema.oneOf !== undefined) {
    const count = validCount(schema.oneOf);
    if (count === 0) causes.push(combination('must validate one and only one schema (oneOf). Found none valid'));
    if (count > 1) causes.push(combination('must validate one and only one schema (oneOf). Found more than one valid'));
  }
  if (schema.not !== undefined && validate(value, schema.not, path).length === 0) {
    causes.push(combination('must not validate the schema (not)'));
  }
}
