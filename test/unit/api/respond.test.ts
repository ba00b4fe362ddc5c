import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type ApiDeps, type Endpoint } from '../../../lib/api/index.ts';
import { Annotations } from '../../../lib/model/index.ts';
import { eventually } from '../../tools/prometheus-api.ts';
import { memoryQueryable, serve, testDeps, type TestServer } from './fixture.ts';

const PIECE = 'x'.repeat(64 * 1024);
const MB = 1 << 20;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes of buffers that somebody holds, and of some that were held a moment ago: they are given back in the background. */
function heldBytes(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

describe('api: long answers', () => {
  let server: TestServer;
  let endpoint: Endpoint;

  before(async () => {
    const endpoints: ApiDeps['endpoints'] = { labels: (request) => endpoint(request) };
    server = await serve(testDeps(memoryQueryable([]), { endpoints }));
  });
  after(() => server.close());

  const get = (signal?: AbortSignal, encoding = 'identity'): Promise<Response> =>
    fetch(`${server.url}/api/v1/labels`, { headers: { 'accept-encoding': encoding }, ...(signal && { signal }) });

  function* quoted(count: number): Generator<string> {
    yield '"';
    for (let i = 0; i < count; i++) yield PIECE;
    yield '"';
  }

  for (const encoding of ['identity', 'gzip']) {
    it(`are never held whole: 256 MB, ${encoding}`, async () => {
      endpoint = async () => ({ pieces: quoted(4096) });
      const response = await get(undefined, encoding);
      let length = 0;
      let mostBytes = 0;
      const before = heldBytes();
      for await (const piece of response.body!) {
        const last = length;
        length += (piece as Uint8Array).length;
        if (length >> 24 > last >> 24) mostBytes = Math.max(mostBytes, heldBytes() - before);
      }
      assert.equal(length, 256 * MB + '{"status":"success","data":""}'.length);
      assert.ok(mostBytes < 64 * MB, `${mostBytes} bytes of buffers`);
    });
  }

  it('let other work go on between their pieces', async () => {
    endpoint = async () => ({ pieces: quoted(200) });
    const other = { turns: 0, isDone: false };
    const work = (async () => {
      while (!other.isDone) {
        await nextTurn();
        other.turns++;
      }
    })();
    await (await get()).arrayBuffer();
    other.isDone = true;
    await work;
    assert.ok(other.turns > 150, `${other.turns} turns`);
  });

  it('stop being made when the client goes away', async () => {
    const making = { pieces: 0, hasEnded: false };
    endpoint = async () => ({
      pieces: (function* () {
        try {
          for (; making.pieces < 100_000; making.pieces++) yield PIECE;
        } finally {
          making.hasEnded = true;
        }
      })(),
    });
    const client = new AbortController();
    const response = await get(client.signal);
    await response.body!.getReader().read();
    client.abort();
    await eventually('the end', 5_000, () => Promise.resolve(making.hasEnded));
    assert.ok(making.pieces < 10_000, `${making.pieces} pieces`);
  });

  it('stop being made when the client takes nothing of them any more', async () => {
    const made = { hasEnded: false };
    const labels: Endpoint = async () => ({
      pieces: (function* () {
        try {
          yield* quoted(4096);
        } finally {
          made.hasEnded = true;
        }
      })(),
    });
    const impatient = await serve(
      testDeps(memoryQueryable([]), { endpoints: { labels }, limits: { stallTimeoutMs: 50 } }),
    );
    try {
      // Reads nothing by itself.
      const [response] = (await once(httpGet(`${impatient.url}/api/v1/labels`), 'response')) as [IncomingMessage];
      await eventually('the end', 5_000, () => Promise.resolve(made.hasEnded));
      await assert.rejects(response.toArray(), { message: 'aborted' });
    } finally {
      await impatient.close();
    }
  });

  it('break off when they fail, so that nobody takes half for the whole', async () => {
    endpoint = async () => ({
      pieces: (function* () {
        yield* quoted(10);
        throw new Error('on purpose');
      })(),
    });
    const response = await get();
    assert.equal(response.status, 200);
    await assert.rejects(response.text());
  });

  it('say that they failed when they fail before they began', async () => {
    endpoint = async () => ({
      // eslint-disable-next-line require-yield
      pieces: (function* (): Generator<string> {
        throw new Error('on purpose');
      })(),
    });
    const response = await get();
    assert.equal(response.status, 500);
    assert.equal(((await response.json()) as { errorType: string }).errorType, 'internal');
  });

  it('end with what was noted while they were made', async () => {
    const annotations = new Annotations();
    endpoint = async () => ({
      annotations,
      pieces: (async function* () {
        yield `["${PIECE}"`;
        await nextTurn();
        annotations.warn('late');
        yield ']';
      })(),
    });
    assert.deepEqual(((await (await get()).json()) as { warnings: string[] }).warnings, ['late']);
  });

  it('have no body where there is nothing to say', async () => {
    endpoint = async () => ({});
    const response = await get();
    assert.deepEqual([response.status, await response.text()], [204, '']);
  });
});
