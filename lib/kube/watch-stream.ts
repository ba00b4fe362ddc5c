import { PromletError, shorten } from '../model/index.ts';
import { KubeApiError } from './api-error.ts';
import { LIMITS } from './limits.ts';
import type { KubeObject, Status, WatchEvent } from './objects.ts';

const NEWLINE = 10;
const TYPES: ReadonlySet<string> = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK']);

/**
 * One JSON object a line. Ends with the stream; a line cut off by its end is dropped, as the next watch sends it again.
 * @param onBytes called for every piece that arrives: the stream is alive
 * @throws KubeApiError for an ERROR event, PromletError `kube/bad-response` for anything that is not a watch event
 */
export async function* readWatchEvents<T extends KubeObject>(
  stream: AsyncIterable<Buffer>,
  what: string,
  onBytes: () => void = () => undefined,
): AsyncGenerator<WatchEvent<T>> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  for await (const part of stream) {
    onBytes();
    let from = 0;
    for (let to = part.indexOf(NEWLINE); to >= 0; to = part.indexOf(NEWLINE, from)) {
      const tail = part.subarray(from, to);
      const line = restBytes === 0 ? tail : Buffer.concat([...rest, tail]);
      rest = [];
      restBytes = 0;
      from = to + 1;
      if (line.length > 0) yield parseEvent<T>(line.toString('utf8'), what);
    }
    if (from < part.length) {
      rest.push(part.subarray(from));
      restBytes += part.length - from;
    }
    if (restBytes > LIMITS.watchLineBytes) {
      throw new PromletError('kube/bad-response', `${what}: a line of more than ${LIMITS.watchLineBytes} bytes`);
    }
  }
}

function parseEvent<T extends KubeObject>(line: string, what: string): WatchEvent<T> {
  let event: { type?: string; object?: unknown } | null;
  try {
    event = JSON.parse(line) as { type?: string; object?: unknown } | null;
  } catch (cause) {
    throw new PromletError('kube/bad-response', `${what}: not a watch event: ${shorten(line)}`, { cause });
  }
  if (event?.type === 'ERROR') {
    const status = (event.object ?? {}) as Status;
    throw new KubeApiError(what, status.code ?? 500, status);
  }
  const object = event?.object as T | undefined | null;
  if (!TYPES.has(event?.type ?? '') || typeof object?.metadata !== 'object') {
    throw new PromletError('kube/bad-response', `${what}: not a watch event: ${shorten(line)}`);
  }
  return event as WatchEvent<T>;
}
