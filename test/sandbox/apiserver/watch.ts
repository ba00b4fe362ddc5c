import type { JsonObject } from './json.ts';
import type { KubeObject } from './object.ts';
import { presentObject, type View } from './representation.ts';
import { apiVersionOf, inVersion, storageKey } from './resource-type.ts';
import { queryPredicate } from './selectors.ts';
import { ApiError } from './status.ts';
import type { Store, StoreEvent } from './store.ts';

/** Where the events of one watch go. */
export interface WatchSink {
  send(line: JsonObject): void;
  end(): void;
}

/** How often a watch that asked for bookmarks gets one. */
const BOOKMARK_INTERVAL_MS = 60_000;
/** Without `timeoutSeconds` a watch ends after this; the real server takes 30 to 60 minutes. */
const DEFAULT_TIMEOUT_S = 1800;

/**
 * Streams the changes of a resource: from `resourceVersion` on, or (none, or `0`) the present objects first. With
 * `sendInitialEvents` the present objects come first and a bookmark marks their end. A version that is forgotten is
 * answered with an ERROR event that carries 410, as the real server's watch cache does. Returns the function that
 * stops it.
 */
export function startWatch(
  store: Store,
  view: View,
  namespace: string | undefined,
  query: URLSearchParams,
  sink: WatchSink,
): () => void {
  const { type } = view;
  const isWanted = queryPredicate(query, type);
  const prefix = namespace === undefined ? undefined : `${namespace}/`;
  let isFirst = true;

  const send = (kind: StoreEvent['type'], object: KubeObject): void => {
    sink.send({ type: kind, object: presentObject(view, inVersion(object, type), isFirst) });
    isFirst = false;
  };
  const bookmark = (annotations?: Record<string, string>): void => {
    const metadata = { resourceVersion: String(store.resourceVersion), ...(annotations && { annotations }) };
    sink.send({ type: 'BOOKMARK', object: { kind: type.kind, apiVersion: apiVersionOf(type), metadata } });
  };
  const forward = (event: StoreEvent): void => {
    if (prefix !== undefined && !event.key.startsWith(prefix)) return;
    const isIn = event.type !== 'DELETED' && isWanted(event.object);
    const wasIn = event.previous !== undefined && isWanted(event.previous);
    if (isIn) send(wasIn ? 'MODIFIED' : 'ADDED', event.object);
    else if (wasIn) {
      // Left the selection or was deleted: the last state that was seen, under the version of the change.
      const { resourceVersion } = event.object.metadata;
      const last = event.previous!;
      send('DELETED', { ...last, metadata: { ...last.metadata, resourceVersion: resourceVersion! } });
    }
  };

  const since = query.get('resourceVersion') ?? '';
  const wantsInitial = query.get('sendInitialEvents') === 'true';
  const wantsBookmarks = query.get('allowWatchBookmarks') === 'true';
  try {
    if (wantsInitial || since === '' || since === '0') {
      for (const [, object] of store.entries(storageKey(type), namespace)) if (isWanted(object)) send('ADDED', object);
      if (wantsInitial && wantsBookmarks) bookmark({ 'k8s.io/initial-events-end': 'true' });
    } else {
      for (const event of store.changesSince(storageKey(type), Number(since))) forward(event);
    }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    sink.send({ type: 'ERROR', object: error.toStatus() });
    sink.end();
    return () => {};
  }

  const unsubscribe = store.subscribe(storageKey(type), forward);
  const timeoutSeconds = Number(query.get('timeoutSeconds') ?? 0) || DEFAULT_TIMEOUT_S;
  const ending = setTimeout(() => sink.end(), timeoutSeconds * 1000);
  const bookmarks = wantsBookmarks ? setInterval(bookmark, BOOKMARK_INTERVAL_MS) : undefined;
  return () => {
    unsubscribe();
    clearTimeout(ending);
    clearInterval(bookmarks);
  };
}
