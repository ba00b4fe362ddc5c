import assert from 'node:assert/strict';
import { RequestMemory } from '../../../lib/api/index.ts';
import type { Queryable } from '../../../lib/storage/index.ts';
import { until } from '../../tools/until.ts';
import { type MemorySeries, memoryQueryable, NOW_MS, serve, testDeps, type TestServer } from './fixture.ts';

const NOW = NOW_MS / 1000;
const SERIES = 100;
const LONG = 'x'.repeat(3_000);
const MAX_BYTES = 1_450_000;
/** Answers below take 600 to 1,220 kB: there is room for one of them, not for another beside the largest. */
const MAX_TOTAL_BYTES = 1_500_000;
const LARGEST = 'federation';

const series = (name: string, text: string): MemorySeries[] =>
  Array.from({ length: SERIES }, (_, i) => ({ labels: { __name__: name, i: `${text}${i}` }, samples: [[NOW_MS, i]] }));

/** Every answer, by path. */
const answersOf = (name: string): Readonly<Record<string, string>> => ({
  series: `api/v1/series?match[]=${name}`,
  'label values': `api/v1/label/i/values?match[]=${name}`,
  'an instant query': `api/v1/query?query=${name}&time=${NOW}`,
  'a range query': `api/v1/query_range?query=${name}&start=${NOW}&end=${NOW}&step=1`,
  federation: `federate?match[]=${name}`,
});

describe('api: memory of requests', () => {
  const storage = memoryQueryable([
    ...series('small', ''),
    ...series('large', LONG),
    ...series('huge', LONG.repeat(4)),
  ]);
  const memory = new RequestMemory(MAX_BYTES, MAX_TOTAL_BYTES);
  let server: TestServer;
  /** What readers of storage wait for before they are done. */
  let open: Promise<void> = Promise.resolve();

  before(async () => {
    server = await serve(testDeps(slow(storage), { memory }));
  });
  after(() => server.close());
  afterEach(() => {
    open = Promise.resolve();
  });

  /** Hands all series out, and comes to an end when it may. */
  function slow(queryable: Queryable): Queryable {
    return {
      querier: (minMs, maxMs) => {
        const querier = queryable.querier(minMs, maxMs);
        return {
          ...querier,
          async select(...args) {
            const { batches, annotations } = await querier.select(...args);
            return {
              annotations,
              batches: (async function* () {
                yield* batches;
                await open;
              })(),
            };
          },
        };
      },
    };
  }

  const get = async (path: string, signal?: AbortSignal) => {
    const response = await fetch(`${server.url}/${path}`, { ...(signal && { signal }) });
    return { status: response.status, text: await response.text() };
  };
  const isFree = (): Promise<void> => until(() => memory.takenBytes === 0);

  for (const [what, path] of Object.entries(answersOf('huge'))) {
    it(`bounds ${what}`, async () => {
      const { status, text } = await get(path);
      assert.equal(status, path.startsWith('federate') ? 500 : 422, text.slice(0, 200));
      assert.match(text, /query processing would take more than 1450000 bytes of memory \(--query\.max-bytes\)/);
      await isFree();
    });
  }

  for (const [what, path] of Object.entries(answersOf('large'))) {
    it(`has room for ${what}, not for another beside it`, async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      open = promise;
      const first = get(answersOf('large')[LARGEST]!);
      await until(() => memory.takenBytes > 1_000_000);
      open = Promise.resolve();
      const { status, text } = await get(path);
      assert.equal(status, 503, text.slice(0, 200));
      assert.match(
        text,
        /all queries together would take more than 1500000 bytes of memory \(--query\.max-total-bytes\)/,
      );
      assert.equal((await get(path.replaceAll('large', 'small'))).status, 200);
      resolve();
      assert.equal((await first).status, 200);
      await isFree();
      assert.equal((await get(path)).status, 200);
      await isFree();
    });
  }

  it('is free when the client goes away', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    open = promise;
    const client = new AbortController();
    const first = get(answersOf('large')['a range query']!, client.signal);
    await until(() => memory.takenBytes > 0);
    client.abort();
    await assert.rejects(first);
    resolve();
    await isFree();
  });

  it('is counted for label names, too', async () => {
    const names = memoryQueryable([
      {
        labels: { __name__: 'm', ...Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`${LONG}${i}`, 'x'])) },
        samples: [[NOW_MS, 1]],
      },
    ]);
    const other = await serve(testDeps(names, { memory }));
    try {
      const response = await fetch(`${other.url}/api/v1/labels`);
      assert.equal(response.status, 422);
      assert.match(await response.text(), /--query\.max-bytes/);
    } finally {
      await other.close();
    }
  });
});
