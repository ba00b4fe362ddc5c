import { clone, equal, isObject, type Json } from './json.ts';
import { ApiError, badRequest } from './status.ts';

interface Operation {
  op: string;
  path: string;
  from?: string;
  value?: Json;
}

/** RFC 6902. A failed `test` or a missing path is a 422, as the API server answers it. */
export function applyJsonPatch(document: Json, patch: Json): Json {
  if (!Array.isArray(patch)) throw badRequest('a JSON patch must be an array of operations');
  let result = clone(document);
  for (const step of patch) {
    if (!isObject(step) || typeof step.op !== 'string' || typeof step.path !== 'string') {
      throw badRequest(`invalid JSON patch operation: ${JSON.stringify(step)}`);
    }
    result = applyOperation(result, step as unknown as Operation);
  }
  return result;
}

function applyOperation(document: Json, { op, path, from, value }: Operation): Json {
  switch (op) {
    case 'add':
      return put(document, pointer(path), clone(value ?? null), true);
    case 'replace':
      read(document, pointer(path), op);
      return put(document, pointer(path), clone(value ?? null), false);
    case 'remove':
      return remove(document, pointer(path));
    case 'test': {
      const found = read(document, pointer(path), op);
      if (!equal(found, value ?? null)) throw unprocessable(`testing value ${path} failed`);
      return document;
    }
    case 'copy':
      return put(document, pointer(path), clone(read(document, pointer(from ?? ''), op)), true);
    case 'move': {
      const moved = read(document, pointer(from ?? ''), op);
      return put(remove(document, pointer(from ?? '')), pointer(path), moved, true);
    }
    default:
      throw badRequest(`unexpected kind of JSON patch operation: ${op}`);
  }
}

function pointer(path: string): string[] {
  if (path === '') return [];
  return path
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function unprocessable(message: string): ApiError {
  return new ApiError(422, 'Invalid', `the server rejected our request due to an error in our request: ${message}`);
}

function missing(op: string, path: readonly string[]): ApiError {
  return unprocessable(`${op} operation does not apply: doc is missing path: /${path.join('/')}: missing value`);
}

function read(document: Json, path: readonly string[], op: string): Json {
  let at: Json | undefined = document;
  for (const part of path) at = Array.isArray(at) ? at[Number(part)] : isObject(at) ? at[part] : undefined;
  if (at === undefined) throw missing(op, path);
  return at;
}

function put(document: Json, path: readonly string[], value: Json, insert: boolean): Json {
  const last = path.at(-1);
  if (last === undefined) return value;
  const parent = read(document, path.slice(0, -1), 'add');
  if (Array.isArray(parent)) {
    const index = last === '-' ? parent.length : Number(last);
    if (!Number.isInteger(index) || index < 0 || index > parent.length) throw missing('add', path);
    parent.splice(index, insert ? 0 : 1, value);
  } else if (isObject(parent)) {
    parent[last] = value;
  } else {
    throw missing('add', path);
  }
  return document;
}

function remove(document: Json, path: readonly string[]): Json {
  read(document, path, 'remove');
  const last = path.at(-1);
  const parent = read(document, path.slice(0, -1), 'remove');
  if (last === undefined) return null;
  if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else if (isObject(parent)) delete parent[last];
  return document;
}
