/** `promlet-agent tsdb` beside promtool, on directories that real Prometheus and promtool wrote. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createLogger, nodeFileSystem, seededRandom } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { Matcher } from '../../lib/model/index.ts';
import { openTsdb } from '../../lib/tsdb/index.ts';
import { DataClock } from '../bench/data-clock.ts';
import { SERIES_PER_TARGET, TargetWorkload } from '../bench/workload.ts';
import { demoCommits } from '../tools/demo-commits.ts';
import { needPeer } from '../tools/peers.ts';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { blockDirectories, PrometheusDriver } from '../tools/prometheus-driver.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const START_MS = 1_700_000_000_000;
const MAX_OUTPUT_BYTES = 1 << 28;

interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

function promlet(...args: readonly string[]): Promise<Output> {
  return run(process.execPath, [join(ROOT, 'agent', 'main.ts'), 'tsdb', ...args], { maxBuffer: MAX_OUTPUT_BYTES });
}

/** Lists of equally large things in one order: promtool's is that of a map. */
function withoutChance(analysis: string): string {
  return analysis
    .split('\n\n')
    .map((section) => {
      const [title = '', ...rows] = section.split('\n');
      return title.endsWith(':') ? [title, ...rows.sort()].join('\n') : section;
    })
    .join('\n\n');
}

/** What is told of work that takes longer than two seconds. */
const PROGRESS = /^.* % of the input\n/gm;
const ULID = /\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b/g;

function withoutUlids(text: string): string {
  return text.replaceAll(ULID, 'ULID');
}

/** Path → bytes, of all files. */
async function contents(root: string): Promise<Map<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const paths = entries.map((entry) => join(entry.parentPath, entry.name)).sort();
  return new Map(paths.map((path) => [path, statSync(path).isFile() ? readFileSync(path, 'latin1') : 'directory']));
}

/** Names of the blocks, by their times: ULIDs of the same millisecond are in any order. */
function blocksByTime(dir: string): string[] {
  const minTime = (name: string): number => {
    return (JSON.parse(readFileSync(join(dir, name, 'meta.json'), 'utf8')) as { minTime: number }).minTime;
  };
  return blockDirectories(dir).sort((a, b) => minTime(a) - minTime(b));
}

function byTime(a: string, b: string): number {
  return Number(a.slice(a.lastIndexOf(' '))) - Number(b.slice(b.lastIndexOf(' ')));
}

describe('tsdb commands on a directory of real Prometheus', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let dir: string;
  /** As SIGKILL left it: blocks, one of them with tombstones, log and head chunks. */
  let data: string;
  /** Blocks only, of every kind of samples. */
  let snapshot: string;
  let promtool: string;

  before(async function () {
    promtool = needPeer(this, 'promtool');
    dir = mkdtempSync(join(tmpdir(), 'promlet-commands-'));
    data = join(dir, 'data');
    snapshot = join(dir, 'snapshot');
    const program = needPeer(this, 'prometheus');
    const options = { program, version: 3, dataDir: data, blockDuration: '10m' } as const;
    const driver = await PrometheusDriver.start(options);
    try {
      const commits = demoCommits({ random: seededRandom(8), startMs: START_MS, stepMs: 15_000, steps: 200 });
      for (const commit of commits) {
        await driver.write(commit, 2);
        await driver.compacted(600_000);
      }
      await driver.blocks(2);
      await driver.deleteSeries('demo_counter', START_MS, START_MS + 500_000);
      cpSync(await driver.snapshot(), snapshot, { recursive: true });
      // promtool wants a log, which a snapshot has not.
      mkdirSync(join(snapshot, 'wal'));
    } finally {
      await driver.stop('SIGKILL');
    }
    // Replay puts completed chunks on file at once.
    await (await PrometheusDriver.start(options)).stop();
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  const same = async (...args: readonly string[]): Promise<string> => {
    const theirs = await run(promtool, ['tsdb', ...args], { maxBuffer: MAX_OUTPUT_BYTES });
    const { stdout, stderr } = await promlet(...args);
    assert.equal(stderr, '');
    assert.equal(stdout, theirs.stdout);
    return stdout;
  };

  it('list blocks as promtool does', async () => {
    assert.ok((await same('list', data)).split('\n').length >= 4);
    assert.match(await same('list', '-r', data), /2023-11-14 .* \+0000 UTC .*[KM]iB/);
  });

  it('list no blocks where there are none, and complain where there is no directory', async () => {
    const empty = mkdtempSync(join(dir, 'empty-'));
    await same('list', empty);
    await assert.rejects(promlet('list', join(dir, 'absent')), { code: 1, stderr: /opening the db dir: .*absent/ });
  });

  for (const flags of [[], ['--extended'], ['--match={__name__=~"demo_.*",instance!="1"}', '--extended']]) {
    it(`analyze blocks as promtool does ${flags.join(' ')}`, async () => {
      const blocks = flags.includes('--extended') ? blockDirectories(snapshot) : [undefined];
      for (const block of blocks) {
        const args = ['tsdb', 'analyze', '--limit=100000', ...flags, snapshot, ...(block === undefined ? [] : [block])];
        const theirs = await run(promtool, args);
        const { stdout } = await promlet(...args.slice(1));
        assert.equal(withoutChance(stdout), withoutChance(theirs.stdout));
        assert.ok(stdout.length > 500);
      }
    });
  }

  it('cut the lists of an analysis', async () => {
    const { stdout } = await promlet('analyze', '--limit=1', snapshot);
    const sections = stdout.split('\n\n').slice(1);
    assert.ok(sections.length === 6 && sections.every((section) => section.trim().split('\n').length === 2), stdout);
  });

  for (const flags of [
    [],
    ['--format=seriesjson'],
    ['--match={__name__=~"demo_.*"}', '--match={instance="1"}'],
    [`--min-time=${START_MS + 300_000}`, `--max-time=${START_MS + 1_800_000}`],
  ]) {
    it(`dump the samples of blocks as promtool does ${flags.join(' ')}`, async () => {
      const text = await same('dump', ...flags, snapshot);
      assert.ok(text.split('\n').length > 10);
    });
  }

  it('dump the samples of blocks, log and head chunks as promtool does', async () => {
    await same('dump', data);
    await same('dump', `--min-time=${START_MS + 2_000_000}`, data);
    await same('dump', `--max-time=${START_MS + 300_000}`, data);
  });

  it('dump samples that came out of order, from their log, as promtool does', async function () {
    const late = join(dir, 'late');
    const program = needPeer(this, 'prometheus');
    const driver = await PrometheusDriver.start({ program, version: 3, dataDir: late, outOfOrderWindow: '30m' });
    try {
      const random = seededRandom(9);
      const commits = demoCommits({ random, startMs: START_MS, stepMs: 15_000, steps: 60, kinds: ['gauge', 'float'] });
      for (const commit of [...commits.filter((_, i) => i % 3 === 0), ...commits.filter((_, i) => i % 3 > 0)]) {
        await driver.write(commit);
      }
    } finally {
      await driver.stop('SIGKILL');
    }
    assert.ok((await same('dump', late)).split('\n').length > 400);
    assert.match((await promlet('verify', late)).stdout, /wbl: .* [1-9]\d* samples.*\n3 parts, .*: no damage found\n$/);
  });

  it('read blocks with XOR2 chunks as promtool does', async function () {
    const dataDir = join(dir, 'xor2');
    const program = needPeer(this, 'prometheus');
    const options = { program, version: 3, dataDir, blockDuration: '10m', floatEncoding: 'xor2' } as const;
    const driver = await PrometheusDriver.start(options);
    try {
      const random = seededRandom(10);
      const commits = demoCommits({ random, startMs: START_MS, stepMs: 15_000, steps: 120, kinds: ['gauge', 'odd'] });
      for (const commit of commits) {
        await driver.write(commit);
        await driver.compacted(600_000);
      }
      await driver.blocks(1);
    } finally {
      await driver.stop('SIGKILL');
    }
    await same('dump', dataDir);
    const args = ['analyze', '--extended', '--limit=1000', dataDir];
    const theirs = await run(promtool, ['tsdb', ...args]);
    assert.equal(withoutChance((await promlet(...args)).stdout), withoutChance(theirs.stdout));
    assert.match((await promlet('verify', dataDir)).stdout, /: no damage found\n$/);
  });

  it('dump samples as OpenMetrics text as promtool does', async () => {
    const text = await same('dump-openmetrics', snapshot);
    assert.match(text, /\n# EOF\n$/);
    await same('dump-openmetrics', '--match=demo_gauge', data);
  });

  it('find nothing wrong with what Prometheus wrote', async () => {
    const { stdout } = await promlet('verify', data);
    assert.match(stdout, /samples, [1-9]\d* tombstones/);
    assert.match(stdout, /chunks_head: [1-9]\d* samples, [1-9]\d* chunks, 1 files/);
    assert.match(stdout, /wal: .* segments, .* records/);
    assert.match(stdout, /: no damage found\n$/);
  });

  for (const [what, file, damage, complaint] of [
    ['a chunk', 'chunks/000001', (bytes) => (bytes[200]! ^= 1), /DAMAGED .*chunks\/000001: .*checksum at \d+/],
    ['a series', 'index', (bytes) => (bytes[bytes.indexOf('demo_odd') + 700]! ^= 1), /DAMAGED .*index: .* at \d+/],
    ['the table of contents', 'index', (bytes) => (bytes[bytes.length - 10]! ^= 1), /DAMAGED .*index: .* at \d+/],
    ['meta.json', 'meta.json', (bytes) => bytes.write('9', bytes.indexOf('"numSeries": ') + 13), /DAMAGED .*numSeries/],
  ] as readonly (readonly [string, string, (bytes: Buffer) => unknown, RegExp])[]) {
    it(`find damage in ${what} of a block, name the place, and change nothing`, async () => {
      const copy = mkdtempSync(join(dir, 'damaged-'));
      cpSync(snapshot, copy, { recursive: true });
      const path = join(copy, blocksByTime(copy)[1]!, file);
      const bytes = readFileSync(path);
      damage(bytes);
      writeFileSync(path, bytes);
      const before = await contents(copy);
      await assert.rejects(promlet('verify', copy), (error: { code: number; stdout: string }) => {
        assert.equal(error.code, 1);
        assert.match(error.stdout, complaint);
        assert.match(error.stdout, /: 1 of them damaged\n$/);
        return true;
      });
      assert.deepEqual(await contents(copy), before);
    });
  }

  it('find damage in the log and in head chunks, and tell a torn end from it', async () => {
    const copy = mkdtempSync(join(dir, 'damaged-'));
    cpSync(data, copy, { recursive: true });
    const segments = readdirSync(join(copy, 'wal'))
      .filter((name) => /^\d+$/.test(name))
      .map((name) => join(copy, 'wal', name));
    appendFileSync(segments.at(-1)!, Buffer.from([2, 0, 9, 1, 2, 3, 4, 5]));
    const torn = await promlet('verify', copy);
    assert.match(torn.stdout, /note: .*the log ends within a record.*\n/);
    assert.match(torn.stdout, /: no damage found\n$/);
    const log = segments.reduce((a, b) => (statSync(a).size > statSync(b).size ? a : b));
    for (const path of [log, join(copy, 'chunks_head', readdirSync(join(copy, 'chunks_head'))[0]!)]) {
      const bytes = readFileSync(path);
      bytes[Math.floor(bytes.length / 3)]! ^= 1;
      writeFileSync(path, bytes);
    }
    const before = await contents(copy);
    await assert.rejects(promlet('verify', copy), (error: { code: number; stdout: string }) => {
      assert.equal(error.code, 1);
      assert.match(error.stdout, /DAMAGED .*wal\/\d{8}: .* at \d+/);
      assert.match(error.stdout, /DAMAGED .*chunks_head\/000001: .* at \d+/);
      assert.match(error.stdout, /: 2 of them damaged\n$/);
      return true;
    });
    assert.deepEqual(await contents(copy), before);
  });

  it('make blocks of OpenMetrics text that equal those of promtool to the byte', async () => {
    const { stdout: text } = await promlet('dump-openmetrics', snapshot);
    const input = join(dir, 'input.txt');
    // Times in order within a series, series in any order, and names that are given in quotes.
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    for (let i = 0; i < 200; i++) lines.push(`{"two.days","a b"="${i % 3}"} ${i / 7} ${1_700_000_000 + i * 900}`);
    writeFileSync(input, `${lines.reverse().sort(byTime).join('\n')}\n# EOF\n`);
    const flags = ['--label=cluster=x', '--label=job='];
    for (const more of [[], ['--max-block-duration=18h']]) {
      const [theirs, ours] = [mkdtempSync(join(dir, 'theirs-')), mkdtempSync(join(dir, 'ours-'))];
      const args = ['create-blocks-from', ...more, 'openmetrics', ...flags, input];
      const expected = await run(promtool, ['tsdb', ...args, theirs]);
      const { stdout, stderr } = await promlet(...args, ours);
      assert.equal(stderr.replaceAll(PROGRESS, ''), '');
      assert.equal(withoutUlids(stdout), withoutUlids(expected.stdout));
      const blocks = blocksByTime(theirs);
      assert.ok(blocks.length > 3);
      const made = blocksByTime(ours);
      assert.equal(made.length, blocks.length);
      for (const [i, block] of blocks.entries()) {
        for (const file of ['index', 'chunks/000001', 'tombstones']) {
          const read = (root: string, name: string) => readFileSync(join(root, name, file));
          assert.ok(read(ours, made[i]!).equals(read(theirs, block)), `${file} of block ${i}`);
        }
        const meta = (root: string, name: string) => withoutUlids(readFileSync(join(root, name, 'meta.json'), 'utf8'));
        assert.equal(meta(ours, made[i]!), meta(theirs, block));
      }
    }
  });

  for (const [what, text] of [
    ['no end', 'a 1 1\n'],
    ['no time', 'a 1\n# EOF\n'],
    ['a sample behind another', 'a 1 7000\n'.repeat(5000) + 'a 1 6999\n# EOF\n'],
    ['two values at a time', 'a 1 7000\n'.repeat(5000) + 'a 2 7000\n# EOF\n'],
  ] as const) {
    it(`refuse OpenMetrics text with ${what}, as promtool does`, async () => {
      const input = join(dir, 'bad.txt');
      writeFileSync(input, text);
      const args = ['create-blocks-from', 'openmetrics', input, mkdtempSync(join(dir, 'bad-'))];
      await assert.rejects(run(promtool, ['tsdb', ...args]), { code: 1 });
      await assert.rejects(promlet(...args), (error: { code: number; stderr: string }) => {
        assert.equal(error.code, 1);
        assert.match(error.stderr.replaceAll(PROGRESS, ''), /^line \d+: /);
        return true;
      });
    });
  }

  it('read OpenMetrics text from a pipe, and say nothing when asked to be quiet', async () => {
    const out = mkdtempSync(join(dir, 'piped-'));
    const command = `printf 'a{b="c"} 1.5 7000\\n# EOF\\n' | "${process.execPath}" "${join(ROOT, 'agent', 'main.ts')}" tsdb create-blocks-from -q openmetrics /dev/stdin "${out}"`;
    assert.deepEqual(await run('sh', ['-c', command]), { stdout: '', stderr: '' });
    assert.equal((await promlet('dump', out)).stdout, '{__name__="a", b="c"} 1.5 7000000\n');
  });

  it('stop quietly when the reader goes away', async () => {
    const command = `"${process.execPath}" "${join(ROOT, 'agent', 'main.ts')}" tsdb dump "${snapshot}" | head -n 1`;
    const { stdout, stderr } = await run('sh', ['-c', command]);
    assert.match(stdout, /^\{.*\n$/);
    assert.equal(stderr, '');
  });
});

describe('tsdb commands on a directory of ours', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  const STEP_MS = 60_000;
  const HOURS = 11;
  let dir: string;
  let data: string;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-commands-'));
    const clock = new DataClock(START_MS);
    const db = await openTsdb({
      dir: join(dir, 'open'),
      fileSystem: nodeFileSystem,
      clock,
      logger: createLogger('silent'),
      kernels: createKernels(),
    });
    const target = new TargetWorkload(0);
    const results = new Uint8Array(SERIES_PER_TARGET);
    for (let timeMs = START_MS; timeMs < START_MS + HOURS * 3_600_000; timeMs += STEP_MS) {
      const appender = db.appender();
      const refs = Uint32Array.from({ length: SERIES_PER_TARGET }, (_, i) => appender.series(target.labels(i)));
      appender.appendColumns(refs, target.scrape(), SERIES_PER_TARGET, timeMs, results);
      await appender.commit();
      clock.advance(timeMs + STEP_MS);
      if (timeMs % (30 * STEP_MS) === 0) await db.compact();
    }
    await db.deleteSeries(START_MS, START_MS + 3_600_000, [new Matcher('=', 'method', 'GET')]);
    // As another process finds it, while it is open.
    data = join(dir, 'data');
    cpSync(join(dir, 'open'), data, { recursive: true });
    await db.close();
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  it('find nothing wrong with it', async () => {
    const { stdout } = await promlet('verify', data);
    assert.match(stdout, /samples, [1-9]\d* tombstones/);
    assert.match(stdout, /chunks_head: [1-9]\d* samples/);
    assert.match(stdout, /wal: [1-9]\d* series, [1-9]\d* samples/);
    assert.match(stdout, /: no damage found\n$/);
  });

  it('print the same as promtool', async function () {
    const promtool = needPeer(this, 'promtool');
    for (const args of [['list'], ['list', '-r'], ['dump'], ['dump-openmetrics', '--match={method="PUT"}']]) {
      const theirs = await run(promtool, ['tsdb', ...args, data], { maxBuffer: MAX_OUTPUT_BYTES });
      const { stdout, stderr } = await promlet(...args, data);
      assert.equal(stderr, '');
      assert.ok(stdout === theirs.stdout && stdout.length > 300, `${args.join(' ')} differs`);
    }
  });
});
