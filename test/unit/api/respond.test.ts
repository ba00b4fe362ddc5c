import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import { type ApiDeps, type Endpoint } from '../../../lib/api/index.ts';
import { Annotations } from '../../../lib/model/index.ts';
import { eventually } from '../../tools/prometheus-api.ts';
import { memoryQueryable, serve, testDeps, type TestServer } from './fixture.ts';

/** 64 KiB; gzip takes three quarters off. */
const PIECE = randomBytes(16 * 1024)
  .toString('hex')
  .padEnd(64 * 1024, 'x');
const MB = 1 << 20;

describe('api: long answers', () => {
  let server: TestServer;
  let endpoint: Endpoint;

  before(async () => {
    const endpoints: ApiDeps['endpoints'] = { labels: (request) => endpoint(request) };
    server = await serve(testDeps(memoryQueryable([]), { endpoints }));
  });
  after(() => server.close());

  const get = (signal?: AbortSignal): Promise<Response> =>
    fetch(`${server.url}/api/v1/labels`, { headers: { 'accept-encoding': 'identity' }, ...(signal && { signal }) });

  function* quoted(count: number): Generator<string> {
    yield '"';
    for (let i = 0; i < count; i++) yield PIECE;
    yield '"';
  }

  for (const encoding of ['identity', 'gzip']) {
    it(`are made as they are taken, never held whole: 128 MB, ${encoding}`, async function () {
      this.timeout(120_000);
      let made = 0;
      endpoint = async () => ({
        pieces: (function* () {
          for (const piece of quoted(2048)) {
            made += piece.length;
            yield piece;
          }
        })(),
      });
      const request = httpGet(`${server.url}/api/v1/labels`, { headers: { 'accept-encoding': encoding } });
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      // Time for all of it; but nothing was taken, and sockets hold only so much.
      for (let turn = 0; turn < 4000; turn++) await nextTurn();
      assert.ok(made < 64 * MB, `${made} bytes made`);
      let taken = 0;
      const text = encoding === 'gzip' ? response.pipe(createGunzip()) : response;
      for await (const piece of text) taken += (piece as Buffer).length;
      assert.equal(taken, 128 * MB + '{"status":"success","data":""}'.length);
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
    await eventually('the end', 60_000, () => Promise.resolve(making.hasEnded));
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
      await eventually('the end', 60_000, () => Promise.resolve(made.hasEnded));
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

  for (const encoding of ['identity', 'gzip']) {
    it(`go out whole when they are at hand and not too long, as texts and as bytes: ${encoding}`, async () => {
      const half = PIECE.slice(PIECE.length / 2);
      const annotations = new Annotations();
      annotations.warn('é');
      endpoint = async () => ({ annotations, pieces: [`["ü${half}",`, Buffer.from(`"ß${half}"`), ']'] });
      const response = await fetch(`${server.url}/api/v1/labels`, { headers: { 'accept-encoding': encoding } });
      assert.equal(response.headers.get('transfer-encoding'), null);
      const text = `{"status":"success","data":["ü${half}","ß${half}"],"warnings":["é"]}`;
      const length = Number(response.headers.get('content-length'));
      if (encoding === 'identity') assert.equal(length, Buffer.byteLength(text));
      else assert.ok(length > 0 && length < text.length);
      assert.equal(await response.text(), text);
    });
  }

  it('go out in pieces when they are longer, at hand or not', async () => {
    endpoint = async () => ({ pieces: [`["${PIECE}`, Buffer.from(PIECE), `${PIECE}"]`] });
    const response = await get();
    assert.equal(response.headers.get('content-length'), null);
    assert.equal(await response.text(), `{"status":"success","data":["${PIECE.repeat(3)}"]}`);
  });

  it('have no body where there is nothing to say', async () => {
    endpoint = async () => ({});
    const response = await get();
    assert.deepEqual([response.status, await response.text()], [204, '']);
  });
});
