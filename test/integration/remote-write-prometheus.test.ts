/** Our remote write receiver beside that of real Prometheus 3.15, and real Prometheus as its sender. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKernels } from '../../lib/kernels/index.ts';
import { type FloatHistogram, Labels, Matcher, STALE_NAN } from '../../lib/model/index.ts';
import { createWireCodec } from '../../lib/remote/index.ts';
import { ProtoWriter } from '../../lib/remote/proto-writer.ts';
import { encodeReadRequest } from '../../lib/remote/read-request.ts';
import { needPeer } from '../tools/peers.ts';
import {
  call,
  eventually,
  instant,
  lastGoodScrapes,
  PATIENCE_MS,
  raw,
  SUITE_TIMEOUT_MS,
} from '../tools/prometheus-api.ts';
import {
  decodeReadResponse,
  encodeWriteRequest,
  REMOTE_WRITE_HEADERS,
  type WrittenSeries,
} from '../tools/remote-write.ts';
import { floatText, histogramText } from '../tools/samples.ts';
import { keyOf } from './side-by-side/compare.ts';
import { type Program, startAgentProgram, startPrometheusProgram } from './side-by-side/programs.ts';

const codec = createWireCodec(createKernels());
const CONFIG = `global: { external_labels: { zone: a, cluster: one, i: never } }
storage: { exemplars: { max_exemplars: 1000 } }
`;
/** What was written is current to `/federate` for as long as the suite may take. */
const LOOKBACK_MS = 30 * 60_000;
const FLAGS = ['--web.enable-remote-write-receiver', `--query.lookback-delta=${LOOKBACK_MS / 1000}s`];
/**
 * When the suite begins, a whole minute, one or two ago: what comes within a minute of it lies on one side of all starts of
 * blocks.
 */
let T: number;

const labels = (rest: Record<string, string>): Labels => Labels.of({ __name__: 'rw', ...rest });
const floats = (i: string, ...samples: [number, number][]): WrittenSeries => ({ labels: labels({ i }), samples });

const HISTOGRAM: FloatHistogram = {
  counterResetHint: 'unknown',
  schema: 1,
  zeroThreshold: 0.001,
  zeroCount: 2,
  count: 9.5,
  sum: 18.25,
  positiveSpans: [
    { offset: 0, length: 2 },
    { offset: 3, length: 1 },
  ],
  negativeSpans: [{ offset: -2, length: 1 }],
  positiveBuckets: Float64Array.of(1, 2, 0.5),
  negativeBuckets: Float64Array.of(4),
  customValues: new Float64Array(0),
};
const INTEGERS: FloatHistogram = {
  ...HISTOGRAM,
  integer: true,
  count: 9,
  positiveBuckets: Float64Array.of(1, 2, 0),
};
const CUSTOM: FloatHistogram = {
  ...HISTOGRAM,
  schema: -53,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 6,
  positiveSpans: [{ offset: 0, length: 3 }],
  positiveBuckets: Float64Array.of(1, 2, 3),
  negativeSpans: [],
  negativeBuckets: new Float64Array(0),
  customValues: Float64Array.of(0.5, 5),
};
const exemplar = (timestampMs: number, value = 1) => ({
  labels: Labels.of({ trace_id: `t${timestampMs}` }),
  value,
  timestampMs,
});

interface Sent {
  readonly what: string;
  readonly version: 1 | 2;
  /** Made in the test: `T` and now are not known before. */
  readonly body: () => Uint8Array;
  readonly headers?: Record<string, string>;
  /** Faults of encodings are worded by other libraries there. */
  readonly onlyStatus?: true;
}

/** A label pair as version 1.0 has it, whatever is in it. */
function rawSeriesV1(pairs: readonly (readonly [string, string])[], timestampMs: number): Uint8Array {
  const [request, series, part] = [new ProtoWriter(), new ProtoWriter(), new ProtoWriter()];
  for (const [name, value] of pairs) {
    part.clear();
    part.string(1, name);
    part.string(2, value);
    series.embed(1, part);
  }
  part.clear();
  part.double(1, 7);
  part.int64(2, timestampMs);
  series.embed(2, part);
  request.embed(1, series);
  return request.bytes.slice();
}

/** A series of version 2.0 of raw symbol references; field 4 are symbols. */
function rawSeriesV2(
  symbols: readonly string[],
  refs: readonly number[],
  more?: (series: ProtoWriter) => void,
): Uint8Array {
  const [request, series, part] = [new ProtoWriter(), new ProtoWriter(), new ProtoWriter()];
  for (const symbol of symbols) request.message(4, Buffer.from(symbol));
  for (const ref of refs) part.uvarint(ref);
  series.embed(1, part);
  part.clear();
  part.double(1, 7);
  part.int64(2, T + 30_000);
  series.embed(2, part);
  more?.(series);
  request.embed(5, series);
  return request.bytes.slice();
}

function requests(): Sent[] {
  const out: Sent[] = [];
  const add = (what: string, version: 1 | 2, body: () => Uint8Array, more: Partial<Sent> = {}): void => {
    out.push({ what: `${what} (${version}.0)`, version, body, ...more });
  };
  const both = (what: string, series: (i: string) => readonly WrittenSeries[]): void => {
    for (const version of [1, 2] as const) {
      add(what, version, () => encodeWriteRequest(series(String(version)), version).slice());
    }
  };
  both('floats', (i) => [floats(i, [T, 1], [T + 1000, -0], [T + 2000, NaN], [T + 3000, STALE_NAN], [T + 4000, 1e300])]);
  both('many series', (i) => Array.from({ length: 50 }, (_, k) => floats(`${i}-${k}`, [T, k], [T + 1000, k / 3])));
  both('the same again', (i) => [floats(i, [T + 4000, 1e300])]);
  both('another value at the same time', (i) => [floats(i, [T + 4000, 5]), floats(`${i}late`, [T, 1])]);
  both('out of order', (i) => [floats(i, [T + 1000, 5]), floats(`${i}behind`, [T, 1])]);
  both('too far ahead', (i) => [floats(i, [Date.now() + 3_600_000, 5]), floats(`${i}ahead`, [T, 1])]);
  both('far too old', (i) => [floats(i, [1000, 5]), floats(`${i}old`, [T, 1])]);
  both('at the end of time', (i) => [floats(i, [Number.MAX_SAFE_INTEGER - 1, 5])]);
  both('histograms', (i) => [
    {
      labels: labels({ i: `${i}h` }),
      histograms: [
        [T, HISTOGRAM],
        [T + 1000, { ...HISTOGRAM, count: 11.5, zeroCount: 4 }],
      ],
    },
    { labels: labels({ i: `${i}hi` }), histograms: [[T, INTEGERS]] },
    { labels: labels({ i: `${i}hc` }), histograms: [[T, CUSTOM]] },
    { labels: labels({ i: `${i}hg` }), histograms: [[T, { ...HISTOGRAM, counterResetHint: 'gauge' }]] },
  ]);
  both('a histogram that does not add up', (i) => [
    { labels: labels({ i: `${i}bad` }), histograms: [[T, { ...INTEGERS, count: 3 }]] },
    floats(`${i}beside`, [T, 1]),
  ]);
  both('a histogram of another schema', (i) => [
    { labels: labels({ i: `${i}schema` }), histograms: [[T, { ...HISTOGRAM, schema: 77 }]] },
  ]);
  both('exemplars', (i) => [{ ...floats(i, [T + 10_000, 1]), exemplars: [exemplar(T + 9000), exemplar(T + 10_000)] }]);
  both('an exemplar again, and one that is late', (i) => [
    { ...floats(i, [T + 11_000, 1]), exemplars: [exemplar(T + 10_000), exemplar(T + 8000)] },
  ]);
  both('no samples', (i) => [{ labels: labels({ i: `${i}none` }) }]);
  both('nothing', () => []);
  both('metadata', (i) => [
    { ...floats(i, [T + 12_000, 1]), metadata: { type: 'counter', unit: 'seconds', help: 'Of things.' } },
  ]);
  both('no name', (i) => [{ labels: Labels.of({ i }), samples: [[T, 1]] }, floats(`${i}named`, [T, 1])]);
  add('a label twice', 1, () =>
    rawSeriesV1(
      [
        ['__name__', 'rw'],
        ['a', '1'],
        ['a', '2'],
      ],
      T,
    ),
  );
  add('an empty label name', 1, () =>
    rawSeriesV1(
      [
        ['__name__', 'rw'],
        ['', '1'],
      ],
      T,
    ),
  );
  add('an empty metric name', 1, () =>
    rawSeriesV1(
      [
        ['__name__', ''],
        ['a', '1'],
      ],
      T,
    ),
  );
  add('an empty label value', 1, () =>
    rawSeriesV1(
      [
        ['__name__', 'rw'],
        ['a', 'empty'],
        ['b', ''],
      ],
      T,
    ),
  );
  add('labels that are not sorted', 1, () =>
    rawSeriesV1(
      [
        ['z', '1'],
        ['__name__', 'rw'],
        ['a', 'unsorted'],
      ],
      T,
    ),
  );
  add('names of any characters', 1, () =>
    rawSeriesV1(
      [
        ['__name__', 'rw'],
        ['ä ö', '\u{1f600}'],
        ['__proto__', 'p'],
      ],
      T,
    ),
  );
  const symbols = ['', '__name__', 'rw', 'a', 'b'];
  add('references', 2, () => rawSeriesV2(symbols, [1, 2, 3, 4]));
  add('a label twice', 2, () => rawSeriesV2(symbols, [1, 2, 3, 4, 3, 1]));
  add('an odd number of references', 2, () => rawSeriesV2(symbols, [1, 2, 3]));
  add('a reference out of range', 2, () => rawSeriesV2(symbols, [1, 99]));
  const metadata = (field: number) => (series: ProtoWriter) => {
    const part = new ProtoWriter();
    part.int64(field, 99);
    series.embed(5, part);
  };
  add('help out of range', 2, () => rawSeriesV2(symbols, [1, 2], metadata(3)));
  add('unit out of range', 2, () => rawSeriesV2(symbols, [1, 2], metadata(4)));
  add('no name', 2, () => rawSeriesV2(symbols, [3, 4]));
  const fine = (): Uint8Array => encodeWriteRequest([floats('fine', [T, 1])], 1).slice();
  const type = (text: string): Partial<Sent> => ({ headers: { 'Content-Type': text } });
  for (const text of [
    'application/json',
    'application/x-protobuf;proto=prometheus.WriteRequest',
    'application/x-protobuf;proto=foo',
    'application/x-protobuf;proto',
    'application/x-protobuf; charset=utf-8',
    '',
  ]) {
    add(`Content-Type "${text}"`, 1, fine, type(text));
  }
  add('gzip', 1, fine, { headers: { 'Content-Encoding': 'gzip' } });
  add('the other version', 2, fine, { onlyStatus: true });
  add('half of a message', 1, () => fine().subarray(0, -3), { onlyStatus: true });
  add('a wire type that is none', 1, () => Uint8Array.of(0x0f, 1, 2), { onlyStatus: true });
  add('a length beyond the end', 1, () => Uint8Array.of(0x0a, 0xff, 0xff, 0x7f), { onlyStatus: true });
  return out;
}

interface Reply {
  readonly status: number;
  readonly written: (string | null)[];
  readonly text: string;
}

async function send(
  url: string,
  body: Uint8Array,
  version: 1 | 2,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const response = await fetch(`${url}/api/v1/write`, {
    method: 'POST',
    headers: { ...REMOTE_WRITE_HEADERS[version], 'Content-Encoding': 'snappy', ...headers },
    body: body as Uint8Array<ArrayBuffer>,
  });
  const text = await response.text();
  const written = ['Samples', 'Histograms', 'Exemplars'].map((kind) =>
    response.headers.get(`X-Prometheus-Remote-Write-${kind}-Written`),
  );
  return { status: response.status, written, text };
}

/** Theirs names both values of a duplicate, ours does not know the old one. */
function comparable(reply: Reply): Reply {
  const text = reply.text.replaceAll(
    /(duplicate sample for timestamp) \d+; overrides not allowed: [^\n]*?new value \S+/g,
    '$1',
  );
  return { ...reply, text };
}

describe('remote write beside Prometheus 3.15', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let dir: string;
  let ours: Program;
  let theirs: Program;
  const both = <T>(work: (url: string) => Promise<T>): Promise<[T, T]> =>
    Promise.all([work(ours.url), work(theirs.url)]);
  const options = (name: string) => ({
    configFile: join(dir, 'prometheus.yml'),
    dataDir: join(dir, name),
    logFile: join(dir, `${name}.log`),
  });

  before(async function () {
    const prometheus = needPeer(this, 'prometheus');
    T = (Math.floor(Date.now() / 60_000) - 1) * 60_000;
    dir = mkdtempSync(join(tmpdir(), 'promlet-write-'));
    writeFileSync(join(dir, 'prometheus.yml'), CONFIG);
    [ours, theirs] = await Promise.all([
      startAgentProgram(options('ours'), ...FLAGS),
      startPrometheusProgram(prometheus, options('theirs'), ...FLAGS, '--enable-feature=exemplar-storage'),
    ]);
  });
  after(async () => {
    await Promise.all([ours?.process.stop(), theirs?.process.stop()]);
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  for (const { what, version, body, headers, onlyStatus } of requests()) {
    it(`answers alike: ${what}`, async () => {
      const compressed = codec.snappyCompress(body());
      const [mine, other] = (await both((url) => send(url, compressed, version, headers))).map(comparable);
      assert.equal(mine!.status, other!.status, `${mine!.text}${other!.text}`);
      assert.deepEqual(mine!.written, other!.written);
      if (onlyStatus !== true) assert.equal(mine!.text, other!.text);
    });
  }

  it('answers alike to what is not snappy, and to what is too large', async () => {
    const bomb = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0x7f]), Buffer.alloc(100)]);
    for (const body of [Buffer.from('not snappy'), Buffer.alloc(0), bomb]) {
      const [mine, other] = await both((url) => send(url, body, 1));
      assert.equal(mine.status, other.status, `${mine.text}${other.text}`);
    }
    const [mine, other] = await both((url) => send(url, Buffer.alloc((32 << 20) + 1), 1).catch(() => undefined));
    // A server may close while the client still sends; if an answer came, it says why.
    if (mine !== undefined) assert.equal(mine.status, 413);
    if (other !== undefined) assert.equal(other.status, 413);
  });

  const stored = async (url: string): Promise<string[]> => {
    const series = await raw(url, '{__name__="rw"}[10m]', T / 1000 + 120);
    assert.ok(series.length > 100);
    return series.map((one) => `${keyOf(one.metric)} ${JSON.stringify({ ...one, metric: undefined })}`).sort();
  };
  const exemplars = async (url: string): Promise<unknown> =>
    (await call<unknown[]>(url, 'query_exemplars', { query: 'rw', start: '0', end: String(T / 1000 + 120) })).data;

  it('has then the same samples and exemplars, and has them still when it was killed', async () => {
    const [mine, other] = await both(stored);
    assert.deepEqual(mine, other);
    const [mineExemplars, otherExemplars] = await both(exemplars);
    assert.ok((mineExemplars as unknown[]).length > 0);
    assert.deepEqual(mineExemplars, otherExemplars);
    await ours.process.stop('SIGKILL');
    ours = await startAgentProgram(options('ours'), ...FLAGS);
    assert.deepEqual(await stored(ours.url), other);
    assert.deepEqual(await exemplars(ours.url), otherExemplars);
  });

  it('federates alike', async () => {
    const odd = [
      {
        labels: Labels.of({ __name__: 'odd.name', 'label with space': 'ü"\\\n', instance: 'x' }),
        samples: [[T + 1000, 1e21]],
      },
      { labels: Labels.of({ __name__: 'odd:colon', zone: 'b', A: '2' }), samples: [[T + 1000, -0]] },
      { labels: Labels.of({ __name__: 'odd_nan' }), samples: [[T + 1000, NaN]] },
      {
        labels: Labels.of({ __name__: 'odd_small' }),
        samples: [
          [T, 1],
          [T + 1000, 1.5e-9],
        ],
      },
      {
        labels: Labels.of({ __name__: 'odd_stale' }),
        samples: [
          [T, 1],
          [T + 1000, STALE_NAN],
        ],
      },
      { labels: Labels.of({ __name__: 'odd_old' }), samples: [[T - 3_000_000, 1]] },
    ] as unknown as WrittenSeries[];
    const body = codec.snappyCompress(encodeWriteRequest(odd, 1));
    await both((url) => send(url, body, 1));
    for (const query of [
      // With several histograms Prometheus gives all of them the buckets of the last.
      'match[]=rw{i!~".*h.*"}',
      'match[]={__name__=~"odd.*"}',
      'match[]={i="2"}&match[]={i="1"}&match[]=odd_nan',
      'match[]={i="1hc"}',
      'match[]={i="1h"}',
      'match[]=nothing',
      '',
      'match[]=rw{',
      'match[]=sum(rw)',
    ]) {
      for (const accept of [
        '*/*',
        'text/plain;version=0.0.4;escaping=allow-utf-8',
        'text/plain;version=0.0.4;escaping=values',
        'text/plain;escaping=dots,*/*;q=0.1',
        'application/openmetrics-text;version=1.0.0;escaping=underscores',
      ]) {
        const [mine, other] = await both(async (url) => {
          const response = await fetch(`${url}/federate?${query}`, { headers: { accept } });
          const text = await response.text();
          // Those of one name come in any order.
          return [response.status, response.headers.get('content-type'), text.split('\n').sort()];
        });
        assert.deepEqual(mine, other, `${query} ${accept}`);
      }
    }
  });

  it('gives all of it back by remote read, as samples', async () => {
    const query = {
      startMs: T - 1000,
      endMs: T + 120_000,
      matchers: [new Matcher('=', '__name__', 'rw')],
      hints: undefined,
    };
    const body = encodeReadRequest({ queries: [query], acceptedResponseTypes: [0] }, codec) as Uint8Array<ArrayBuffer>;
    const [mine, other] = await both(async (url) => {
      const headers = { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' };
      const response = await fetch(`${url}/api/v1/read`, { method: 'POST', headers, body });
      assert.equal(response.status, 200);
      const bytes = codec.snappyDecompress(await response.bytes(), 1 << 26, 'answer');
      return decodeReadResponse(bytes).map(({ labels: found, samples = [], histograms = [] }) => [
        // Prometheus adds its external labels.
        found
          .without(new Set(['zone', 'cluster']))
          .toString()
          .replace(', i="never"', ''),
        // Its encoder takes -0 for the default and leaves it out.
        samples.map(([timeMs, value]) => [timeMs, floatText(value === 0 ? 0 : value)]),
        histograms.map(([timeMs, value]) => [timeMs, histogramText(value)]),
      ]);
    });
    assert.ok(mine.some(([, , histograms]) => histograms!.length > 0));
    const key = (row: unknown): string => JSON.stringify(row);
    assert.deepEqual(mine.map(key).sort(), other.map(key).sort());
  });

  it('gives all of it back by remote read to Prometheus, as chunks', async function () {
    const configFile = join(dir, 'reader.yml');
    writeFileSync(configFile, `remote_read: [{ url: '${ours.url}/api/v1/read', read_recent: true }]\n`);
    const reader = await startPrometheusProgram(needPeer(this, 'prometheus'), { ...options('reader'), configFile });
    try {
      assert.deepEqual(await stored(reader.url), await stored(theirs.url));
    } finally {
      await reader.process.stop();
    }
  });

  for (const message of ['prometheus.WriteRequest', 'io.prometheus.write.v2.Request']) {
    it(`takes all that Prometheus sends as ${message}`, async function () {
      const prometheus = needPeer(this, 'prometheus');
      const configFile = join(dir, 'sender.yml');
      const job = `sender-${message}`;
      const scrape =
        'scrape_interval: 500ms, scrape_timeout: 500ms, scrape_protocols: [PrometheusProto], scrape_native_histograms: true';
      writeFileSync(
        configFile,
        `scrape_configs: [{ job_name: ${job}, ${scrape}, static_configs: [{ targets: ['${new URL(theirs.url).host}'] }] }]
remote_write: [{ url: '${ours.url}/api/v1/write', protobuf_message: ${message}, send_native_histograms: true, send_exemplars: true, queue_config: { batch_send_deadline: 100ms } }]
`,
      );
      const sender = await startPrometheusProgram(prometheus, {
        configFile,
        dataDir: join(dir, job),
        logFile: join(dir, `${job}.log`),
      });
      try {
        const selector = `{job="${job}"}`;
        // What was scraped before the sender followed its log never comes: 2 s are beyond that when six did.
        await eventually('six scrapes arrived', PATIENCE_MS, async () => {
          const [count] = await instant(ours.url, `count_over_time(up${selector}[1h])`);
          return Number(count?.value[1]) >= 6;
        });
        const end = await eventually('the newest scrape was good', PATIENCE_MS, async () => {
          const [scrape] = await lastGoodScrapes(sender.url, selector);
          return scrape && Number(scrape.value[1]);
        });
        const table = async (url: string): Promise<string[]> => {
          const series = await raw(url, `${selector}[2s]`, end);
          assert.ok(series.length > 500, `${series.length} series`);
          return series.map((one) => `${keyOf(one.metric)} ${JSON.stringify({ ...one, metric: undefined })}`).sort();
        };
        const sent = await table(sender.url);
        assert.ok(sent.some((line) => line.includes('"histograms"')));
        await eventually('all that was scraped until then arrived', PATIENCE_MS, async () => {
          assert.deepEqual(await table(ours.url), sent);
          return true;
        });
      } finally {
        await sender.process.stop();
      }
    });
  }
});
