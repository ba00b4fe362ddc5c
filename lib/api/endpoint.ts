import type { Endpoint } from './deps.ts';
import { ApiError } from './errors.ts';

/** By path below `/api/v1`. */
export type Endpoints = Readonly<Record<string, Endpoint>>;

/** A part that not every program has. @throws ApiError `not_found` when this one has not */
export function needed<T>(part: T | undefined, path: string): T {
  if (part === undefined) throw new ApiError('not_found', `this program does not serve ${path}`);
  return part;
}
