import assert from 'node:assert/strict';
import { request } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { gunzipSync } from 'node:zlib';
import { PromletError } from '../../../lib/model/index.ts';
import type { QueryableRequest } from '../../../lib/api/index.ts';
import { memoryQueryable, NOW_MS, serve, SERIES, testDeps, type TestServer } from './fixture.ts';

const NOW = NOW_MS / 1000;

interface Body {
  readonly errorType: string;
  readonly warnings: readonly string[];
  readonly data: string[] &
    Record<string, string>[] & {
      readonly result: readonly { readonly values: readonly (readonly [number, string])[] }[];
    };
}

describe('api: queries', () => {
  let server: TestServer;
  const seen: QueryableRequest[] = [];
  const queryable = memoryQueryable(SERIES, 'node-b did not answer');

  before(async () => {
    const deps = testDeps(queryable, { limits: { labelResults: 100 } });
    server = await serve({
      ...deps,
      queryable: (asked) => {
        seen.push(asked);
        return queryable;
      },
    });
  });
  after(() => server.close());

  const get = async (path: string) => {
    const response = await fetch(`${server.url}/api/v1/${path}`);
    return { status: response.status, text: await response.text(), headers: response.headers };
  };
  const json = async (path: string) => JSON.parse((await get(path)).text) as Body;
  const post = async (path: string, form: Record<string, string>) => {
    const response = await fetch(`${server.url}/api/v1/${path}`, { method: 'POST', body: new URLSearchParams(form) });
    return (await response.json()) as Body;
  };

  it('answers an instant query byte for byte as Prometheus writes it', async () => {
    const { status, text, headers } = await get(`query?query=http_requests_total{instance="a"}&time=${NOW}`);
    assert.equal(status, 200);
    assert.match(headers.get('content-type')!, /^application\/json/);
    assert.equal(
      text,
      '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"http_requests_total",' +
        '"dotted.name":"x","instance":"a","job":"app"},"value":[1700000000,"10"]}]},"warnings":["node-b did not answer"]}',
    );
  });

  it('takes the clock for a missing time, and RFC 3339 with a zone for a given one', async () => {
    const now = await json('query?query=time()');
    assert.deepEqual(now.data, { resultType: 'scalar', result: [NOW, String(NOW)] });
    const dated = await json(`query?query=time()&time=${encodeURIComponent('2023-11-14T23:13:20.5+01:00')}`);
    assert.deepEqual(dated.data.result, [NOW + 0.5, `${NOW}.5`]);
  });

  it('answers a string', async () => {
    assert.deepEqual((await json('query?query="a\\nb"')).data, { resultType: 'string', result: [NOW, 'a\nb'] });
  });

  it('answers range queries as matrices, by GET and by POST', async () => {
    const form = { query: 'sum(http_requests_total)', start: `${NOW - 120}`, end: `${NOW}`, step: '1m' };
    const expected = [
      [NOW - 120, '48'],
      [NOW - 60, '54'],
      [NOW, '60'],
    ];
    const posted = await post('query_range', form);
    assert.deepEqual(posted.data, { resultType: 'matrix', result: [{ metric: {}, values: expected }] });
    const got = await json(`query_range?${new URLSearchParams({ ...form, step: '60' }).toString()}`);
    assert.deepEqual(got.data.result[0]!.values, expected);
  });

  it('lists label names, values and series, by selector too', async () => {
    assert.deepEqual((await json('labels')).data, ['__name__', 'dotted.name', 'instance', 'job']);
    assert.deepEqual((await json('label/instance/values')).data, ['a', 'b', 'c']);
    const some = 'match[]={instance="a"}&match[]={instance="c"}&match[]={instance=~"a|c"}';
    assert.deepEqual((await json(`label/instance/values?${some}`)).data, ['a', 'c']);
    assert.deepEqual(
      (await json(`series?${some}`)).data.map((labels: Record<string, string>) => labels['instance']),
      ['a', 'c'],
    );
    assert.deepEqual((await post('series', { 'match[]': 'http_requests_total{instance="b"}' })).data.length, 1);
  });

  it('reads escaped label names', async () => {
    assert.deepEqual((await json('label/U__dotted_2e_name/values')).data, ['x']);
    assert.deepEqual((await json('label/dotted.name/values')).data, ['x']);
    assert.deepEqual((await json('label/U__no_such/values')).data, []);
    assert.deepEqual((await json('label/%64otted%2Ename/values')).data, ['x']);
    assert.deepEqual((await json('label/%zz/values')).data, []);
  });

  it('cuts answers at the limit and says so', async () => {
    for (const [path, length] of [
      ['label/instance/values?limit=2', 2],
      ['labels?limit=1', 1],
      ['series?match[]=http_requests_total&limit=2', 2],
    ] as const) {
      const answer = await json(path);
      assert.equal(answer.data.length, length);
      assert.ok(answer.warnings.includes('results truncated due to limit'), path);
    }
    const answer = await json('query?query=http_requests_total&limit=1');
    assert.equal(answer.data.result.length, 1);
    assert.ok(answer.warnings.includes('results truncated due to limit'));
    const whole = await json('query?query=http_requests_total&limit=3');
    assert.deepEqual(whole.warnings, ['node-b did not answer']);
  });

  it('hands partial_response and all parameters to the storage', async () => {
    seen.length = 0;
    await get('query?query=up&partial_response=false');
    await get('labels?partial_response=1');
    await get('labels');
    assert.deepEqual(
      seen.map(({ partialResponse }) => partialResponse),
      [false, true, undefined],
    );
    assert.equal(seen[0]!.params.get('query'), 'up');
  });

  it('honours lookback_delta', async () => {
    const at = `query?query=http_requests_total&time=${NOW + 100}`;
    assert.equal((await json(at)).data.result.length, 3);
    assert.equal((await json(`${at}&lookback_delta=30s`)).data.result.length, 0);
  });

  it('compresses long answers when asked', async () => {
    const path = `/api/v1/query_range?query=http_requests_total&start=${NOW - 600}&end=${NOW}&step=1`;
    const fetchRaw = (encoding: string) =>
      new Promise<{ body: Buffer; encoding: string | undefined }>((resolve, reject) => {
        request(server.url + path, { headers: { 'accept-encoding': encoding } }, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () =>
            resolve({ body: Buffer.concat(chunks), encoding: response.headers['content-encoding'] }),
          );
        })
          .on('error', reject)
          .end();
      });
    const plain = await fetchRaw('identity');
    const zipped = await fetchRaw('gzip');
    assert.equal(plain.encoding, undefined);
    assert.equal(zipped.encoding, 'gzip');
    assert.ok(zipped.body.length < plain.body.length / 3);
    assert.deepEqual(gunzipSync(zipped.body), plain.body);
    assert.equal((JSON.parse(plain.body.toString()) as Body).data.result[2]!.values.length, 601);
  });

  const refused: readonly (readonly [path: string, status: number, errorType: string, message: RegExp])[] = [
    ['query', 400, 'bad_data', /invalid parameter "query"/],
    ['query?query=sum(', 400, 'bad_data', /^invalid parameter "query": 1:\d+: parse error: /],
    [
      'query?query=up&time=noon',
      400,
      'bad_data',
      /^invalid parameter "time": .*cannot parse "noon" to a valid timestamp$/,
    ],
    ['query?query=up&time=NaN', 400, 'bad_data', /cannot parse "NaN"/],
    ['query?query=up&limit=-1', 400, 'bad_data', /^invalid parameter "limit": limit must be non-negative$/],
    [
      'query?query=up&timeout=x',
      400,
      'bad_data',
      /^invalid parameter "timeout": cannot parse "x" to a valid duration$/,
    ],
    ['query?query=up&timeout=0', 503, 'timeout', /timed out/],
    ['query?query=up&partial_response=maybe', 400, 'bad_data', /partial_response/],
    ['query?query=http_requests_total*on(job)http_requests_total', 422, 'execution', /duplicate series|many-to-many/],
    ['query_range?query=up&start=1&end=2', 400, 'bad_data', /^invalid parameter "step": cannot parse ""/],
    ['query_range?query=up&end=2&step=1', 400, 'bad_data', /^invalid parameter "start": cannot parse ""/],
    ['query_range?query=up&start=2&end=1&step=1', 400, 'bad_data', /end timestamp must not be before start time/],
    ['query_range?query=up&start=1&end=2&step=0', 400, 'bad_data', /zero or negative query resolution step widths/],
    [
      'query_range?query=up&start=0&end=11001&step=1',
      400,
      'bad_data',
      /^exceeded maximum resolution of 11,000 points per timeseries\. Try decreasing the query resolution \(\?step=XX\)$/,
    ],
    ['query_range?query=up&start=0&end=31536000&step=0.001', 400, 'bad_data', /11,000 points/],
    [
      'query_range?query=up[5m]&start=1&end=2&step=1',
      400,
      'bad_data',
      /invalid expression type "range vector" for range query/,
    ],
    ['series', 400, 'bad_data', /^no match\[\] parameter provided$/],
    ['series?match[]={a=~".*"}', 400, 'bad_data', /at least one non-empty matcher/],
    ['series?match[]=up{', 400, 'bad_data', /parse error/],
    ['labels?match[]=up{a=~"("}', 400, 'bad_data', /regex/],
    ['nothing', 404, 'not_found', /no such endpoint/],
    ['targets', 404, 'not_found', /does not serve targets/],
  ];
  for (const [path, status, errorType, message] of refused) {
    it(`answers ${path} with ${status} ${errorType}`, async () => {
      const answer = await get(path);
      const body = JSON.parse(answer.text) as Record<string, string>;
      assert.equal(answer.status, status, answer.text);
      assert.equal(body['status'], 'error');
      assert.equal(body['errorType'], errorType);
      assert.match(body['error']!, message);
    });
  }

  it('accepts 11,000 points', async () => {
    assert.equal((await get('query_range?query=up&start=0&end=11000&step=1')).status, 200);
  });

  it('refuses a body beyond the limit with an answer, which a client that still sends gets', async () => {
    const response = await fetch(`${server.url}/api/v1/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `query=${'x'.repeat(16 * 1024 * 1024)}`,
    });
    assert.equal(response.status, 400);
    assert.match(await response.text(), /body larger than 1048576 bytes/);
    assert.equal((await get('labels')).status, 200);
  });

  it('ends the connection of a client that sends on and on', async () => {
    function* endless(): Generator<Buffer> {
      for (;;) yield Buffer.alloc(64 * 1024, 'x');
    }
    const sending = request(`${server.url}/api/v1/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    await assert.rejects(pipeline(endless(), sending), { code: /^(ECONNRESET|EPIPE|ERR_STREAM_PREMATURE_CLOSE)$/ });
    assert.equal((await get('labels')).status, 200);
  });

  it('refuses a query beyond the limit of the parser', async () => {
    const answer = await post('query', { query: `up${' '.repeat(20_000)}` });
    assert.equal(answer.errorType, 'bad_data');
  });

  it('sets CORS headers as Prometheus does', async () => {
    const response = await fetch(`${server.url}/api/v1/labels`, { headers: { origin: 'http://elsewhere' } });
    assert.equal(response.headers.get('access-control-allow-origin'), 'http://elsewhere');
    assert.equal(response.headers.get('access-control-allow-methods'), 'GET, POST, OPTIONS');
    const options = await fetch(`${server.url}/api/v1/query`, { method: 'OPTIONS' });
    assert.equal(options.status, 204);
  });

  it('does not take DELETE for GET', async () => {
    assert.equal((await fetch(`${server.url}/api/v1/query`, { method: 'DELETE' })).status, 405);
  });
});

describe('api: errors of the storage', () => {
  const failing = (error: unknown) => ({
    querier() {
      throw error;
    },
  });
  const cases: readonly (readonly [what: string, error: unknown, status: number, errorType: string])[] = [
    ['a fault from outside', new PromletError('tsdb/io', 'disk gone'), 422, 'execution'],
    ['a missing part', new PromletError('federation/unavailable', 'node-b is missing'), 503, 'unavailable'],
    ['a bug', new TypeError('undefined is not a function'), 500, 'internal'],
  ];
  for (const [what, error, status, errorType] of cases) {
    it(`answers ${what} with ${status} ${errorType}`, async () => {
      const server = await serve(testDeps(failing(error)));
      try {
        const response = await fetch(`${server.url}/api/v1/labels`);
        assert.equal(response.status, status);
        assert.equal(((await response.json()) as Record<string, string>)['errorType'], errorType);
      } finally {
        await server.close();
      }
    });
  }
});
