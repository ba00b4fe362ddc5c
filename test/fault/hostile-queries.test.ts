/**
 * Hostile queries against a running agent with many series: each gets its answer or its error within its time, memory stays
 * bounded, and a target that is scraped ten times a second goes on being scraped. How regularly is told, not asserted.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeFileSystem, seededRandom, systemClock } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { Labels } from '../../lib/model/index.ts';
import { BlockBuilder } from '../../lib/tsdb/index.ts';
import { eventually, PATIENCE_MS, SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { type Program, startAgentProgram } from '../integration/side-by-side/programs.ts';

const MIB = 1024 * 1024;
const SERIES = 20_000;
const STEPS = 40;
const STEP_MS = 15_000;
const HISTORY_MS = 2 * 3_600_000;
const LONG_VALUE = 'a'.repeat(4_096);
const SCRAPE_INTERVAL_MS = 100;

const TIMEOUT_MS = 2_000;
/** Of a query whose error is not to be that it was late. */
const PATIENT_TIMEOUT_MS = 120_000;
/** The agent gives a query two seconds more to stop by itself; left alone, most of these would take hours. */
const LATE_MS = 2_000 + PATIENCE_MS;
/** A client that takes so little of its answer is slow; one that took nothing for 30 s would be given up. */
const SIP_BYTES = 64 * 1024;
const SIP_MS = 100;
/** What all queries together may take, by their own count. */
const MAX_TOTAL_BYTES = 256 * MIB;
/**
 * As much again may be garbage, which V8 comes to when a heap has doubled, and two threads have code and young objects. What it
 * was each time is told at the end, 340 to 420 MiB; a query that counts nothing takes gigabytes.
 */
const MAX_GROWTH_BYTES = 2 * MAX_TOTAL_BYTES + 2 * 50 * MIB;
/** As the image sets it. */
const ENVIRONMENT = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '131072' };

const nested = (depth: number, inner: string, wrap: (inner: string) => string): string =>
  depth === 0 ? inner : wrap(nested(depth - 1, inner, wrap));

/** Error type, '' for a good answer; one that is to be answered may run out of its time. */
const QUERIES: Readonly<Record<string, readonly [query: string, errorType: RegExp, message?: RegExp]>> = {
  // Just what a body may have: of a larger one the rest is not read, and the connection may break before the answer.
  'a query of 1 MB, as it is written in a form': [`big + ${'1 + '.repeat(170_000)}1`, /^bad_data$/, /16384 bytes/],
  '10,000 parentheses': [`${'('.repeat(10_000)}1${')'.repeat(10_000)}`, /^bad_data$/],
  '7,000 parentheses': [`${'('.repeat(7_000)}1${')'.repeat(7_000)}`, /^bad_data$/, /nested/],
  '10,000 signs': [`${'-'.repeat(10_000)}1`, /^bad_data$/, /nested/],
  'a sum of 4,000 terms': [`${'1 + '.repeat(4_000)}1`, /^(?:bad_data)?$/],
  'a huge repetition': ['big{path=~".{1000}{1000}"}', /^bad_data$/, /regexp/],
  'a regex that backtracks elsewhere': ['big{path=~"(a+)+b"}', /^$/],
  'a regex of many stars': ['big{path=~".*a.*a.*a.*a.*a.*a.*a.*a.*b"}', /^$/],
  'a replacement by a regex that backtracks elsewhere': ['label_replace(big, "x", "$1", "path", "(a+)+b")', /^$/],
  'everything there is': ['{__name__=~".+"}', /^$/],
  'topk of everything': ['topk(1e9, {__name__=~".+"})', /^$/],
  'many-to-many': ['big + on () big', /^execution$/, /many-to-many matching not allowed/],
  'a product of everything with itself': ['big * on (path) group_left () (big * ignoring () big)', /^$/],
  'a label for every value': ['count_values("v", big)', /^$/],
  'a subquery of a subquery': [
    'max_over_time(max_over_time(rate(big[5m])[2h:1s])[2h:1s])',
    /^execution$/,
    /bytes of memory/,
  ],
  'a subquery of a subquery of nothing': [
    'max_over_time((max_over_time(vector(1)[1d:1s]))[1y:1s])',
    /^execution$/,
    /memory/,
  ],
  'a label that grows eightfold eight times': [
    nested(8, 'big', (inner) => `label_replace(${inner}, "path", "${'$1'.repeat(8)}", "path", "(.*)")`),
    /^execution$/,
    /bytes of memory/,
  ],
  'a label that is joined to itself': [
    nested(12, 'big', (inner) => `label_join(${inner}, "path", "", "path", "path", "path", "path")`),
    /^execution$/,
    /bytes of memory/,
  ],
};

describe('hostile queries against a running agent', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let dir: string;
  let agent: Program;
  let target: Server;
  let endSeconds: number;
  let idleBytes: number;
  let largestBytes = 0;
  const scrapeTimesMs: number[] = [];
  /** As often as the target should be scraped: what holds up the machine, or this process, holds up these too. */
  let ticks = 0;
  let ticking: NodeJS.Timeout | undefined;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-hostile-queries-'));
    const dataDir = join(dir, 'data');
    mkdirSync(dataDir);
    endSeconds = await writeBlock(dataDir);
    target = createServer((_, response) => {
      scrapeTimesMs.push(performance.now());
      response.setHeader('content-type', 'text/plain; version=0.0.4').end('scraped 1\n');
    }).listen(0, '127.0.0.1');
    await once(target, 'listening');
    const configFile = join(dir, 'prometheus.yml');
    const { port } = target.address() as AddressInfo;
    writeFileSync(
      configFile,
      `global: {scrape_interval: ${SCRAPE_INTERVAL_MS}ms, scrape_timeout: ${SCRAPE_INTERVAL_MS}ms}\n` +
        `scrape_configs: [{job_name: steady, static_configs: [{targets: ['127.0.0.1:${port}']}]}]\n`,
    );
    const options = { configFile, dataDir, logFile: join(dir, 'agent.log'), env: ENVIRONMENT };
    const flags = [`--query.max-total-bytes=${MAX_TOTAL_BYTES / MIB}MiB`, '--query.max-concurrency=2'];
    agent = await startAgentProgram(options, ...flags);
    idleBytes = rssBytes(agent.process.pid, 'VmRSS');
    scrapeTimesMs.length = 0;
    ticking = setInterval(() => ticks++, SCRAPE_INTERVAL_MS);
  });

  after(async () => {
    clearInterval(ticking);
    await agent?.process.stop();
    target?.closeAllConnections();
    target?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  // Each has a peak of its own, on top of what those before it left.
  beforeEach(() => writeFileSync(`/proc/${agent.process.pid}/clear_refs`, '5'));

  afterEach(() => {
    assert.ok(agent.process.running, 'the agent is alive');
    const peakBytes = rssBytes(agent.process.pid, 'VmHWM');
    largestBytes = Math.max(largestBytes, peakBytes);
    const growthMib = Math.ceil((peakBytes - idleBytes) / MIB);
    assert.ok(growthMib * MIB < MAX_GROWTH_BYTES, `${growthMib} MiB more RSS`);
  });

  for (const [name, [query, errorType, message]] of Object.entries(QUERIES)) {
    it(`answers ${name}`, async () => {
      // What is refused for what it needs is refused before long; without that it would go on, and take far more.
      const timeoutMs = errorType.test('execution') ? PATIENT_TIMEOUT_MS : TIMEOUT_MS;
      const answer = await askAlone('query', { query, time: String(endSeconds) }, { timeoutMs });
      if (answer.errorType === 'timeout' && timeoutMs === TIMEOUT_MS) return;
      assert.match(answer.errorType, errorType, answer.error);
      if (message !== undefined) assert.match(answer.error, message);
    });
  }

  it('answers a range of a year in steps of 1 ms', async () => {
    const { error } = await askAlone('query_range', { query: 'big', start: '0', end: '31536000', step: '0.001' });
    assert.match(error, /exceeded maximum resolution of 11,000 points/);
  });

  it('answers everything at 11,000 points', async () => {
    const times = { start: String(endSeconds - 11_000), end: String(endSeconds), step: '1' };
    const { errorType, error } = await askAlone('query_range', { query: '{__name__=~".+"}', ...times });
    assert.match(errorType, /^(?:execution|timeout)?$/);
    if (errorType === 'execution') assert.match(error, /bytes of memory|too many samples/);
  });

  it('answers twenty of them at a time', async () => {
    const query = 'sum by (path) (max_over_time(rate(big[5m])[2h:10s]))';
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => ask('query', { query, time: String(endSeconds) }, { queued: 20 })),
    );
    for (const { errorType, error } of answers) assert.match(errorType, /^(?:execution|timeout|unavailable)?$/, error);
  });

  it('answers two at a time that each take all they may', async () => {
    const time = String(endSeconds);
    const steps = 'max_over_time(max_over_time(rate(big[5m])[2h:1s])[2h:1s])';
    const labels = nested(12, 'big', (inner) => `label_join(${inner}, "path", "", "path", "path", "path", "path")`);
    for (const query of [steps, labels]) {
      const patiently = { queued: 2, timeoutMs: PATIENT_TIMEOUT_MS };
      const answers = await Promise.all([
        ask('query', { query, time }, patiently),
        ask('query', { query, time }, patiently),
      ]);
      for (const { errorType, error } of answers) assert.match(errorType, /^(?:execution|unavailable)$/, error);
    }
  });

  it('refuses one while an answer that nobody reads has what it would need', async () => {
    const times = { start: String(endSeconds - 600), end: String(endSeconds), step: '1' };
    const params = new URLSearchParams({ query: 'big', ...times, timeout: `${PATIENT_TIMEOUT_MS}ms` });
    const url = `${agent.url}/api/v1/query_range?${params.toString()}`;
    const response = await eventually('memory of earlier queries is free', PATIENCE_MS, async () => {
      const [started] = (await once(get(url, { agent: false }), 'response')) as [IncomingMessage];
      if (started.statusCode === 200) return started;
      started.resume();
      return undefined;
    });
    response.on('error', () => {});
    const sip = (): unknown => response.read(Math.min(SIP_BYTES, response.readableLength));
    const sipping = setInterval(sip, SIP_MS);
    try {
      const { errorType, error } = await ask(
        'query',
        { query: 'max_over_time(max_over_time(rate(big[5m])[2h:1s])[2h:1s])', time: String(endSeconds) },
        { timeoutMs: PATIENT_TIMEOUT_MS },
      );
      assert.ok(!response.readableEnded && !response.destroyed, 'it is not answered yet');
      assert.equal(errorType, 'unavailable', error);
      assert.match(error, /all queries together would take more than 268435456 bytes .*\(--query\.max-total-bytes\)/);
    } finally {
      clearInterval(sipping);
      response.destroy();
    }
  });

  it('scraped on all the while', () => {
    const gapsMs = scrapeTimesMs.slice(1).map((timeMs, i) => timeMs - scrapeTimesMs[i]!);
    const latenessMs = gapsMs.map((gapMs) => Math.abs(gapMs - SCRAPE_INTERVAL_MS)).sort((a, b) => a - b);
    const at = (share: number): string => latenessMs[Math.floor(share * (latenessMs.length - 1))]!.toFixed(1);
    const peakMib = Math.ceil(largestBytes / MIB);
    console.log(
      `      ${gapsMs.length} scrapes, jitter p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms; peak RSS ${peakMib} MiB, ${Math.ceil(idleBytes / MIB)} before`,
    );
    assert.ok(gapsMs.length > ticks / 4, `${gapsMs.length} scrapes in ${ticks} intervals`);
  });

  /** Asks again while what earlier queries had is not given back yet: threads clean up behind their answers. */
  function askAlone(...asked: Parameters<typeof ask>): ReturnType<typeof ask> {
    return eventually('memory of earlier queries is free', PATIENCE_MS, async () => {
      const answer = await ask(...asked);
      return answer.errorType !== 'unavailable' && answer;
    });
  }

  /** Reads the answer to its end and keeps nothing of it. */
  async function ask(
    endpoint: string,
    params: Readonly<Record<string, string>>,
    { queued = 1, timeoutMs = TIMEOUT_MS } = {},
  ): Promise<{ errorType: string; error: string }> {
    const startMs = performance.now();
    const response = await fetch(`${agent.url}/api/v1/${endpoint}`, {
      method: 'POST',
      body: new URLSearchParams({ timeout: `${timeoutMs}ms`, ...params }),
    });
    const text = await response.text();
    const tookMs = performance.now() - startMs;
    // A query that waits for its turn does so within its own time, but the machine has to answer all of them.
    assert.ok(tookMs < timeoutMs + LATE_MS + queued * 100, `took ${tookMs} ms: ${text.slice(0, 200)}`);
    if (response.ok) return { errorType: '', error: '' };
    const { errorType = '', error } = text.startsWith('{')
      ? (JSON.parse(text) as { errorType?: string; error: string })
      : { errorType: 'bad_data', error: text };
    return { errorType, error };
  }
});

/** 20,000 series, one of them with a label as long as labels may be. @returns the time of the last samples, s */
async function writeBlock(dir: string): Promise<number> {
  const builder = new BlockBuilder({
    dir,
    fileSystem: nodeFileSystem,
    clock: systemClock,
    random: seededRandom(1),
    kernels: createKernels(),
    headDurationMs: HISTORY_MS,
  });
  // In one block, whatever the hour.
  const endMs = (Math.floor(Date.now() / HISTORY_MS) - 1) * HISTORY_MS - STEP_MS;
  const series = Array.from({ length: SERIES }, (_, i) =>
    Labels.of({ __name__: 'big', job: `job-${i % 7}`, path: i === 0 ? LONG_VALUE : `/api/v1/resource/${i}` }),
  );
  for (let step = 0; step < STEPS; step++) {
    const appender = builder.appender();
    for (const [i, labels] of series.entries()) {
      appender.append(appender.series(labels), endMs - (STEPS - 1 - step) * STEP_MS, step * i);
    }
    await appender.commit();
  }
  await builder.flush();
  return endMs / 1000;
}

/** What is resident, or the most that ever was. */
function rssBytes(pid: number, what: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${what}:\\s+(\\d+) kB$`, 'm').exec(status)![1]) * 1024;
}
