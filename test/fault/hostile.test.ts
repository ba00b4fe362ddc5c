/** Hostile targets and clients against a running agent: each gets its error, the rest goes on, memory stays bounded. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server as TcpServer,
  type Socket,
} from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { call, eventually, instant, PATIENCE_MS, SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { DEFAULT_API_LIMITS } from '../../lib/api/index.ts';
import { type Program, startAgentProgram } from '../integration/side-by-side/programs.ts';

const TEXT = 'text/plain; version=0.0.4';
const MIB = 1024 * 1024;
const MAX_CONNECTIONS = DEFAULT_API_LIMITS.connections;
/** An empty agent has about 100 MiB, these pages take 300 more at once, and a query may take 256 (by default). */
const MAX_PEAK_RSS_BYTES = 700 * MIB;

/** As the image sets it: the same on machines of few cores and of many. */
const ENVIRONMENT = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '131072' };

type Respond = (response: ServerResponse, base: string) => void;

interface HostileTarget {
  readonly respond: Respond;
  /** What the target's lastError says. '' is a good scrape. */
  readonly error: RegExp;
}

/** What any scrape may end with on a machine that does other things too. */
const LATE = /deadline exceeded/;
/** Of targets whose pages take work, so that ten times as slow a machine gets it done. */
const CALM = 'scrape_interval: 5s, scrape_timeout: 5s';
/** Of targets whose pages never end. */
const HASTY = 'scrape_interval: 1s, scrape_timeout: 900ms';
/** Only one that hangs is late here; its first scrape comes with those of all others. */
const PATIENT = 'scrape_interval: 1m, scrape_timeout: 1m';

const page =
  (body: string | Buffer, headers: Record<string, string> = {}): Respond =>
  (response) => {
    response.writeHead(200, { 'content-type': TEXT, ...headers }).end(body);
  };

/** Writes until the client goes away. */
function endlessly(response: ServerResponse, piece: string): void {
  const more = (): void => {
    if (!response.destroyed && response.write(piece)) setImmediate(more);
  };
  response.on('drain', more);
  more();
}

/** Made when the suite runs: they take some memory. */
const hostileTargets = (): Readonly<Record<string, HostileTarget>> => ({
  gzipBomb: {
    respond: page(gzipSync(Buffer.alloc(200 * MIB, 'a 1\n')), { 'content-encoding': 'gzip' }),
    error: /body size limit exceeded/,
  },
  endlessBody: {
    respond: (response) => {
      response.writeHead(200, { 'content-type': TEXT });
      endlessly(response, 'a 1\n'.repeat(16_000));
    },
    error: /body size limit exceeded/,
  },
  oneByteAtATime: {
    respond: (response) => {
      response.writeHead(200, { 'content-type': TEXT });
      const timer = setInterval(() => response.write('a'), 100);
      response.on('close', () => clearInterval(timer));
    },
    error: LATE,
  },
  silence: {
    respond: (response) => response.writeHead(200, { 'content-type': TEXT }).flushHeaders(),
    error: LATE,
  },
  hugeLength: { respond: page('a 1\n', { 'content-length': '99999999999999' }), error: /limit exceeded|EOF/ },
  hugeHeader: { respond: page('a 1\n', { 'x-long': 'x'.repeat(60_000) }), error: /./ },
  wrongEncoding: { respond: page('a 1\n', { 'content-encoding': 'br' }), error: /./ },
  redirectLoop: {
    respond: (response) => void response.writeHead(302, { location: '/metrics' }).end(),
    error: /stopped after 10 redirects/,
  },
  redirectToScheme: {
    respond: (response) => void response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
    error: /./,
  },
  longLine: { respond: page(`a{b="${'x'.repeat(10 * MIB)}"} 1\n`), error: /./ },
  manyLabels: {
    respond: page(`a{${Array.from({ length: 1_000_000 }, (_, i) => `l${i}=""`).join(',')}} 1\n`),
    error: /./,
  },
  manySamples: {
    respond: page(Array.from({ length: 100_000 }, (_, i) => `m${i} 1\n`).join('')),
    error: /sample limit exceeded/,
  },
  duplicateLabels: { respond: page('a{b="1",b="2"} 1\n'), error: /line 1: .*not unique/ },
  invalidUtf8: { respond: page(Buffer.from('a{b="\xff\xfe"} 1\n', 'latin1')), error: /line 1: .*UTF-8/ },
  nothingButBraces: { respond: page('{} 1\n'), error: /line 1: / },
  nul: { respond: page('a\0b 1\n'), error: /line 1: / },
  deepBraces: { respond: page(`${'{'.repeat(100_000)}\n`), error: /line 1: / },
  prototype: { respond: page('__proto__{constructor="1",__proto__="2",toString="3"} 1\n'), error: /^$/ },
  farTimestamps: { respond: page('a 1 9223372036854775807\nb 1 99999999999999999999\n'), error: /./ },
  churn: {
    respond: (response) =>
      page(Array.from({ length: 1000 }, () => `churn{id="${churned++}"} 1\n`).join(''))(response, ''),
    error: /^$/,
  },
});
/** Series so far. */
let churned = 0;

describe('hostile inputs against a running agent', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let dir: string;
  let agent: Program;
  let raw: TcpServer;
  let targets: Readonly<Record<string, HostileTarget>>;
  const servers: Server[] = [];
  const sockets: Socket[] = [];

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-hostile-'));
    let config = 'scrape_configs:\n';
    const add = (job: string, port: number, pace: string): void => {
      config += `- {job_name: ${job}, ${pace}, static_configs: [{targets: ['127.0.0.1:${port}']}]}\n`;
    };
    const serve = async (respond: Respond): Promise<number> => {
      const server = createServer((request, response) => respond(response, request.headers.host!));
      servers.push(server);
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    };
    targets = hostileTargets();
    for (const [job, { respond, error }] of Object.entries(targets)) {
      add(job, await serve(respond), error === LATE ? HASTY : CALM);
    }
    const goodPort = await serve(page('good 1\n'));
    add('good', goodPort, HASTY);
    add('patient', goodPort, PATIENT);
    raw = createTcpServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.write('HTTP/1.1 200 OK\r\nX: ');
      const timer = setInterval(() => socket.write('y'), 50);
      socket.on('close', () => clearInterval(timer));
    }).listen(0, '127.0.0.1');
    await once(raw, 'listening');
    add('slowHeaders', (raw.address() as AddressInfo).port, HASTY);
    const configFile = join(dir, 'prometheus.yml');
    writeFileSync(configFile, config);
    const options = { configFile, dataDir: join(dir, 'data'), logFile: join(dir, 'agent.log'), env: ENVIRONMENT };
    agent = await startAgentProgram(options);
  });

  after(async () => {
    await agent?.process.stop();
    raw?.close();
    for (const socket of sockets) socket.destroy();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    rmSync(dir, { recursive: true, force: true });
  });

  afterEach(async () => {
    assert.ok(agent.process.running, 'the agent is alive');
    const peakBytes = peakRssBytes(agent.process.pid);
    assert.ok(peakBytes < MAX_PEAK_RSS_BYTES, `${peakBytes} bytes of RSS`);
    await assertHealthy();
  });

  async function assertHealthy(): Promise<void> {
    const response = await fetch(`${agent.url}/-/healthy`);
    assert.match(await response.text(), /is Healthy/);
    assert.equal(response.status, 200);
  }

  interface Targets {
    readonly activeTargets: readonly {
      readonly scrapePool: string;
      readonly lastError: string;
      readonly health: string;
    }[];
  }

  /** Waits for further scrapes of the good target; that any of them is late says nothing. */
  async function goodScrapes(count: number): Promise<void> {
    const soFar = async (): Promise<number> => {
      const [sample] = await instant(agent.url, 'sum_over_time(up{job="good"}[1d])');
      return Number(sample?.value[1] ?? 0);
    };
    const before = await soFar();
    await eventually(`${count} good scrapes`, PATIENCE_MS, async () => (await soFar()) >= before + count);
  }

  it('says of every hostile target what is wrong, and scrapes the good ones on', async () => {
    const good = { error: /^$/ };
    const expected = new Map(Object.entries({ ...targets, slowHeaders: { error: LATE }, good, patient: good }));
    const left = new Set(expected.keys());
    const wrong = await eventually('every target has said what is wrong', 3 * PATIENCE_MS, async () => {
      const { data } = await call<Targets>(agent.url, 'targets');
      assert.equal(data.activeTargets.length, expected.size);
      const found: string[] = [];
      for (const { scrapePool, lastError, health } of data.activeTargets) {
        if (health === 'unknown') continue;
        if (expected.get(scrapePool)!.error.test(lastError)) left.delete(scrapePool);
        else if (scrapePool === 'patient' || !LATE.test(lastError)) found.push(`${scrapePool}: ${lastError}`);
        if (lastError.length >= 2_000) found.push(`${scrapePool}: a message of ${lastError.length} characters`);
      }
      return (found.length > 0 || left.size === 0) && found;
    }).catch((error: unknown) => {
      throw new Error(`nothing of ${[...left].join(', ')}`, { cause: error });
    });
    assert.deepEqual(wrong, []);
    await goodScrapes(5);
    assert.equal((await instant(agent.url, 'min_over_time(up{job="patient"}[1d]) == 1')).length, 1);
  });

  const QUERIES: Readonly<Record<string, readonly [query: string, status: number, error: RegExp]>> = {
    // Just what a body may have: of a larger one the rest is not read, and the connection may break before the answer.
    'a query of 1 MB, as it is written in a form': [`a + ${'1 + '.repeat(170_000)}1`, 400, /16384 bytes/],
    '10,000 parentheses': ['('.repeat(7_000) + '1' + ')'.repeat(7_000), 400, /nested deeper/],
    'a regex with a huge repetition': ['{a=~".{1000}{1000}"}', 400, /regexp/],
    'a million points of a subquery of a subquery': [
      'max_over_time(max_over_time(max_over_time(vector(1)[1d:1s])[1d:1s])[1y:1s])',
      422,
      /more than 268435456 bytes of memory/,
    ],
    'a subquery that fits with another in it that does not': [
      'max_over_time(max_over_time(vector(1)[1d:5s])[1y:5s])',
      422,
      /more than 268435456 bytes of memory/,
    ],
    'subqueries that just fit': [
      'max_over_time((max_over_time(vector(1)[1d:1s]) + max_over_time(vector(2)[1d:1s]))[30d:1s])',
      200,
      /^$|timed out/,
    ],
    'a many-to-many match': ['up + on () up', 422, /many-to-many matching not allowed/],
    'topk of everything': ['topk(1e9, {__name__=~".+"})', 200, /^$/],
    'a regex that backtracks elsewhere': ['up{job=~"(a+)+b|(x+x+)+y"}', 200, /^$/],
  };
  for (const [name, [query, status, error]] of Object.entries(QUERIES)) {
    it(`answers ${name}`, async () => {
      const mayTimeOut = error.test('timed out');
      const body = new URLSearchParams({ query, timeout: mayTimeOut ? '5s' : '2m' });
      const { response, answer } = await eventually('memory of earlier queries is free', PATIENCE_MS, async () => {
        const response = await fetch(`${agent.url}/api/v1/query`, { method: 'POST', body });
        const answer = (await response.json()) as { error?: string; errorType?: string };
        return answer.errorType !== 'unavailable' && { response, answer };
      });
      assert.match(answer.error ?? '', error);
      const isLate = mayTimeOut && answer.errorType === 'timeout';
      assert.ok(response.status === status || isLate, `status ${response.status}: ${answer.error}`);
    });
  }

  it('answers a range of a year in steps of 1 ms', async () => {
    const response = await fetch(`${agent.url}/api/v1/query_range?query=up&start=0&end=31536000&step=0.001`);
    assert.equal(response.status, 400);
    assert.match(((await response.json()) as { error: string }).error, /exceeded maximum resolution of 11,000 points/);
  });

  it('never sends script as HTML', async () => {
    const script = encodeURIComponent('<script>alert(1)</script>');
    for (const path of [`api/v1/query?query=${script}`, `api/v1/label/${script}/values`, script, `api/v1/${script}`]) {
      const response = await fetch(`${agent.url}/${path}`);
      assert.doesNotMatch(response.headers.get('content-type') ?? '', /html/, path);
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff', path);
      await response.arrayBuffer();
    }
  });

  it('serves on beside idle connections beyond its limit', async () => {
    const { port } = new URL(agent.url);
    let refused = 0;
    const idle = Array.from({ length: 1500 }, () =>
      connect(Number(port), '127.0.0.1')
        .on('error', () => {})
        .on('close', () => refused++)
        .resume(),
    );
    try {
      await eventually('it refuses those beyond its limit', PATIENCE_MS, async () => refused >= 1500 - MAX_CONNECTIONS);
      assert.ok(agent.process.running);
    } finally {
      for (const socket of idle) socket.destroy();
    }
    await eventually('it answers', PATIENCE_MS, () => assertHealthy().then(() => true));
    await goodScrapes(1);
  });

  it('answers garbage instead of HTTP and remote read with an error', async () => {
    const { port } = new URL(agent.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.end('\0\xff garbage\r\n\r\n');
    assert.match(Buffer.concat(await socket.toArray()).toString(), /^HTTP\/1\.1 400 /);
    for (const body of ['x', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0]), Buffer.alloc(1000, 0xff)]) {
      const response = await fetch(`${agent.url}/api/v1/read`, { method: 'POST', body });
      assert.equal(response.status, 400);
      await response.text();
    }
  });
});

/** The most that was ever resident. */
function peakRssBytes(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;
}
