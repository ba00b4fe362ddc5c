import assert from 'node:assert/strict';
import { observedEndpoint } from '../../../lib/api/observed-endpoint.ts';
import { DEFAULT_API_LIMITS } from '../../../lib/api/limits.ts';
import { queryEndpoints } from '../../../lib/api/query-endpoints.ts';
import type { EndedQuery } from '../../../lib/api/query-observer.ts';
import { systemClock } from '../../../lib/env/index.ts';
import { Engine } from '../../../lib/promql/index.ts';
import { memoryQueryable } from './fixture.ts';

describe('an observed query', () => {
  let nowMs = 0;
  /** Goes on whenever it is looked at. */
  const clock = { ...systemClock, now: () => (nowMs += 1_000) };
  const ended: (EndedQuery | undefined)[] = [];
  const observer = { countsSamples: false, onBegin() {}, onEnd: (query: EndedQuery | undefined) => ended.push(query) };
  const deps = { queryable: () => memoryQueryable([]), engine: new Engine(), clock };
  const endpoints = queryEndpoints(deps, DEFAULT_API_LIMITS);

  it('is read once: the observer is told of the time that is answered for', async () => {
    const endpoint = observedEndpoint('query', endpoints['query']!, observer, DEFAULT_API_LIMITS, clock);
    const params = new URLSearchParams({ query: 'time()' });
    const answer = await endpoint({ params, name: '', signal: new AbortController().signal });
    const text = [...(answer.pieces as Iterable<string>)].join('');
    const { startMs, query } = ended.pop()!.task;
    assert.equal(query, 'time()');
    assert.equal(text, `{"resultType":"scalar","result":[${startMs / 1000},"${startMs / 1000}"]}`);
  });
});
