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
import { call, eventually, instant } from '../tools/prometheus-api.ts';
import { type Program, startAgentProgram } from '../integration/side-by-side/programs.ts';

const TEXT = 'text/plain; version=0.0.4';
const MIB = 1024 * 1024;
/** An empty agent has about 100 MiB, these pages take 300 more at once, and a query may take 256 (by default). */
const MAX_PEAK_RSS_BYTES = 700 * MIB;

type Respond = (response: ServerResponse, base: string) => void;

interface HostileTarget {
  readonly respond: Respond;
  /** What the target's lastError says. '' is a good scrape. */
  readonly error: RegExp;
}

const page =
  (body: string | Buffer, headers: Record<string, string> = {}): Respond =>
  (response) => {
    response.writeHead(200, { 'content-type': TEXT, ...headers }).end(body);
  };
const bomb = gzipSync(Buffer.alloc(200 * MIB, 'a 1\n'));

/** Writes until the client goes away. */
function endlessly(response: ServerResponse, piece: string): void {
  const more = (): void => {
    if (!response.destroyed && response.write(piece)) setImmediate(more);
  };
  response.on('drain', more);
  more();
}

const TARGETS: Readonly<Record<string, HostileTarget>> = {
  gzipBomb: { respond: page(bomb, { 'content-encoding': 'gzip' }), error: /body size limit exceeded/ },
  endlessBody: {
    respond: (response) => {
      response.writeHead(200, { 'content-type': TEXT });
      endlessly(response, 'a 1\n'.repeat(1000));
    },
    error: /body size limit exceeded|deadline exceeded/,
  },
  oneByteAtATime: {
    respond: (response) => {
      response.writeHead(200, { 'content-type': TEXT });
      const timer = setInterval(() => response.write('a'), 100);
      response.on('close', () => clearInterval(timer));
    },
    error: /deadline exceeded/,
  },
  silence: {
    respond: (response) => response.writeHead(200, { 'content-type': TEXT }).flushHeaders(),
    error: /deadline exceeded/,
  },
  hugeLength: { respond: page('a 1\n', { 'content-length': '99999999999999' }), error: /limit exceeded|EOF|deadline/ },
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
      page(Array.from({ length: 1000 }, () => `churn{id="${Math.random()}"} 1\n`).join(''))(response, ''),
    error: /^$/,
  },
};

describe('hostile inputs against a running agent', function () {
  this.timeout(60_000);
  let dir: string;
  let agent: Program;
  let raw: TcpServer;
  const servers: Server[] = [];
  const sockets: Socket[] = [];

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-hostile-'));
    let config = 'global: {scrape_interval: 1s, scrape_timeout: 900ms}\nscrape_configs:\n';
    const add = (job: string, port: number): void => {
      config += `- {job_name: ${job}, static_configs: [{targets: ['127.0.0.1:${port}']}]}\n`;
    };
    for (const [job, { respond }] of Object.entries({ ...TARGETS, good: { respond: page('good 1\n') } })) {
      const server = createServer((request, response) => respond(response, request.headers.host!)).listen(
        0,
        '127.0.0.1',
      );
      await once(server, 'listening');
      servers.push(server);
      add(job, (server.address() as AddressInfo).port);
    }
    raw = createTcpServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.write('HTTP/1.1 200 OK\r\nX: ');
      const timer = setInterval(() => socket.write('y'), 50);
      socket.on('close', () => clearInterval(timer));
    }).listen(0, '127.0.0.1');
    await once(raw, 'listening');
    add('slowHeaders', (raw.address() as AddressInfo).port);
    const configFile = join(dir, 'prometheus.yml');
    writeFileSync(configFile, config);
    const options = { configFile, dataDir: join(dir, 'data'), logFile: join(dir, 'agent.log') };
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
    assert.ok((await fetch(`${agent.url}/-/healthy`)).ok);
  });

  interface Targets {
    readonly activeTargets: readonly {
      readonly scrapePool: string;
      readonly lastError: string;
      readonly health: string;
    }[];
  }

  it('says of every hostile target what is wrong, and scrapes the good one on', async () => {
    const expected = { ...TARGETS, slowHeaders: { error: /deadline exceeded/ } };
    await eventually('three scrapes of the good target', 20_000, async () => {
      const [sample] = await instant(agent.url, 'sum_over_time(up{job="good"}[1m]) >= 5');
      return sample !== undefined;
    });
    const { data } = await eventually('every target was scraped', 20_000, async () => {
      const answer = await call<Targets>(agent.url, 'targets');
      return answer.data.activeTargets.every(({ health }) => health !== 'unknown') && answer;
    });
    const errors = Object.fromEntries(data.activeTargets.map(({ scrapePool, lastError }) => [scrapePool, lastError]));
    const wrong = Object.entries(expected).filter(([job, { error }]) => !error.test(errors[job] ?? 'no such target'));
    assert.deepEqual(
      wrong.map(([job]) => `${job}: ${errors[job]}`),
      [],
    );
    assert.equal((await instant(agent.url, 'min_over_time(up{job="good"}[1m]) == 1')).length, 1);
    for (const [job, error] of Object.entries(errors)) assert.ok(error.length < 2_000, `${job}: the message is short`);
  });

  const QUERIES: Readonly<Record<string, readonly [query: string, status: number, error: RegExp]>> = {
    'a query of 1 MB': [`a + ${'1 + '.repeat(250_000)}1`, 400, /16384 bytes|body larger/],
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
      const body = new URLSearchParams({ query, timeout: '5s' });
      const response = await fetch(`${agent.url}/api/v1/query`, { method: 'POST', body });
      const answer = (await response.json()) as { error?: string };
      assert.match(answer.error ?? '', error);
      assert.ok(response.status === status || response.status === 503, `status ${response.status}: ${answer.error}`);
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
    const idle = Array.from({ length: 1500 }, () => connect(Number(port), '127.0.0.1').on('error', () => {}));
    try {
      await new Promise((resolve) => setTimeout(resolve, 500));
      assert.ok(agent.process.running);
    } finally {
      for (const socket of idle) socket.destroy();
    }
    await eventually('it answers', 10_000, async () => (await fetch(`${agent.url}/-/healthy`)).ok);
    assert.equal((await instant(agent.url, 'up{job="good"} == 1')).length, 1);
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
