import type { KubeObject } from './object.ts';
import { inVersion, type ResourceType, storageKey } from './resource-type.ts';
import { queryPredicate } from './selectors.ts';
import { ApiError, badRequest, expired } from './status.ts';
import type { Store } from './store.ts';

export interface ListPage {
  items: KubeObject[];
  resourceVersion: string;
  continueToken: string | undefined;
  remainingItemCount: number | undefined;
}

/**
 * One page of a list: selectors, `limit` and `continue` (all pages show the state of the first), `resourceVersion`
 * with `resourceVersionMatch=Exact`. Throws 410 when the state asked for is forgotten.
 */
export function listPage(
  store: Store,
  type: ResourceType,
  namespace: string | undefined,
  query: URLSearchParams,
): ListPage {
  const limit = Number(query.get('limit') ?? 0);
  const token = query.get('continue') ?? '';
  const from = token === '' ? undefined : parseToken(token);
  const resourceVersion = from?.rv ?? versionAsked(store, query) ?? store.resourceVersion;
  const isWanted = queryPredicate(query, type);
  const items: KubeObject[] = [];
  let lastKey = '';
  let remaining = 0;
  for (const [key, object] of snapshot(store, type, namespace, resourceVersion, from !== undefined)) {
    if (from !== undefined && key <= from.start) continue;
    const presented = inVersion(object, type);
    if (!isWanted(presented)) continue;
    if (limit > 0 && items.length >= limit) {
      remaining += 1;
      continue;
    }
    items.push(presented);
    lastKey = key;
  }
  const isSelected = query.has('labelSelector') || query.has('fieldSelector');
  return {
    items,
    resourceVersion: String(resourceVersion),
    continueToken: remaining > 0 ? formatToken({ rv: resourceVersion, start: lastKey }) : undefined,
    remainingItemCount: remaining > 0 && !isSelected ? remaining : undefined,
  };
}

function snapshot(
  store: Store,
  type: ResourceType,
  namespace: string | undefined,
  resourceVersion: number,
  isContinued: boolean,
): Iterable<[string, KubeObject]> {
  try {
    return store.entriesAt(storageKey(type), namespace, resourceVersion);
  } catch (error) {
    if (!isContinued) throw error;
    throw expired(
      'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.',
    );
  }
}

/** The version that must be shown exactly; undefined for "the newest will do". */
function versionAsked(store: Store, query: URLSearchParams): number | undefined {
  const asked = Number(query.get('resourceVersion') ?? 0);
  if (!Number.isSafeInteger(asked) || asked < 0)
    throw badRequest(`invalid resource version: ${query.get('resourceVersion')}`);
  if (asked > store.resourceVersion) {
    const message = `Too large resource version: ${asked}, current: ${store.resourceVersion}`;
    const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }];
    throw new ApiError(504, 'Timeout', message, { causes, retryAfterSeconds: 1 });
  }
  return query.get('resourceVersionMatch') === 'Exact' ? asked : undefined;
}

interface Token {
  rv: number;
  /** Key of the last object already sent. */
  start: string;
}

function formatToken(token: Token): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', ...token })).toString('base64url');
}

function parseToken(text: string): Token {
  try {
    const { rv, start } = JSON.parse(Buffer.from(text, 'base64url').toString()) as Token;
    if (Number.isSafeInteger(rv) && typeof start === 'string') return { rv, start };
  } catch (error) {
    throw badRequest(`continue key is not valid: ${String(error)}`);
  }
  throw badRequest('continue key is not valid');
}
