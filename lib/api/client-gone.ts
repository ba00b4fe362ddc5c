import type { ServerResponse } from 'node:http';

/** Aborts when the connection is closed before the answer was written. */
export function clientGone(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}
