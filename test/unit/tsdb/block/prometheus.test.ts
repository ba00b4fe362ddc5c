import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { nodeFileSystem, seededRandom } from '../../../../lib/env/index.ts';
import { Matcher } from '../../../../lib/model/index.ts';
import { BlockWriter } from '../../../../lib/tsdb/block/block-writer.ts';
import { isUlid } from '../../../../lib/tsdb/block/meta.ts';
import { BlockQuerier } from '../../../../lib/tsdb/block/querier.ts';
import { blockSource } from '../../../../lib/tsdb/block/source.ts';
import { needPeer } from '../../../tools/peers.ts';
import { parse } from '../harness.ts';
import { type Content, expected, type Found, kernels, openBlock, read, ULID, writeBlock } from './harness.ts';

const run = promisify(execFile);
/** A multiple of the two hours that a block of promtool spans. */
const BLOCK_START_MS = 7_200_000 * 236_000;

type Version = '3.15' | '2.42';

function promtool(test: Mocha.Context, version: Version): string {
  return join(dirname(needPeer(test, version === '3.15' ? 'prometheus' : 'prometheus2')), 'promtool');
}

/** Series that share most labels or few, whose values are of all kinds. At most `most` samples each, 15 s apart. */
function content(count: number, most: number, seed: number): Content {
  const random = seededRandom(seed);
  const values = [0, 1, -0, 1.5, 1e300, -1e-300, Infinity, -Infinity, 0.1 + 0.2, 2 ** 53];
  const out: Record<string, [number, number][]> = {};
  for (let i = 0; i < count; i++) {
    const labels = `job=${['api', 'db', 'wéb'][i % 3]} instance=10.0.0.${i % 17}:9090 path=/p/${i}${i % 5 === 0 ? ' zone=eu' : ''}`;
    const length = 1 + Math.floor(random() * most);
    let value = 0;
    out[`metric_${i % 7} ${labels}`] = Array.from({ length }, (_, k) => {
      value = i % 4 === 0 ? values[Math.floor(random() * values.length)]! : value + Math.floor(random() * 100);
      return [BLOCK_START_MS + k * 15_000 + (i % 3 === 0 ? Math.floor(random() * 5000) : 0), value];
    });
  }
  return out;
}

function openMetrics(series: Content): string {
  const lines: string[] = [];
  for (const [text, list] of Object.entries(series)) {
    const labels = parse(text);
    const pairs = [...labels].filter(([name]) => name !== '__name__').map(([name, value]) => `${name}="${value}"`);
    for (const [timeMs, value] of list) {
      const number = Number.isFinite(value)
        ? Object.is(value, -0)
          ? '-0'
          : String(value)
        : value > 0
          ? '+Inf'
          : '-Inf';
      lines.push(`${labels.get('__name__')}{${pairs.join(',')}} ${number} ${(timeMs / 1000).toFixed(3)}`);
    }
  }
  return `${lines.join('\n')}\n# EOF\n`;
}

describe('tsdb: blocks and Prometheus', function () {
  this.timeout(600_000);
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-peer-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  async function blockOf(tool: string, series: Content): Promise<string> {
    writeFileSync(join(dir, 'in.om'), openMetrics(series));
    const out = join(dir, 'theirs');
    await run(tool, ['tsdb', 'create-blocks-from', 'openmetrics', join(dir, 'in.om'), out]);
    const blocks = readdirSync(out).filter(isUlid);
    assert.equal(blocks.length, 1);
    return join(out, blocks[0]!);
  }

  /** What promtool prints of a data directory, in the form of `read`. */
  async function dump(tool: string, dataDir: string): Promise<Found> {
    mkdirSync(join(dataDir, 'wal'), { recursive: true });
    const { stdout } = await run(tool, ['tsdb', 'dump', dataDir], { maxBuffer: 1 << 28 });
    const found: Found = {};
    for (const line of stdout.trim().split('\n')) {
      const [, labels = '', value = '', timeMs = ''] = /^\{(.*)\} (\S+) (\d+)$/.exec(line) ?? [];
      const pairs = Array.from(labels.matchAll(/(\w+)="([^"]*)"/g), ([, name, text]) => [name!, text!] as const);
      const name = pairs.find(([one]) => one === '__name__')?.[1] ?? '';
      const key = [name, ...pairs.filter(([one]) => one !== '__name__').map((pair) => pair.join('='))].join(' ');
      (found[key] ??= []).push([Number(timeMs), textOfGo(value)]);
    }
    return found;
  }

  const textOfGo = (value: string): string =>
    value === '+Inf' ? 'Infinity' : value === '-Inf' ? '-Infinity' : value === '-0' ? '-0' : String(Number(value));

  for (const version of ['3.15', '2.42'] as const) {
    it(`reads what promtool ${version} wrote, sample by sample`, async function () {
      const series = content(200, 400, 1);
      const block = openBlock(await blockOf(promtool(this, version), series));
      const querier = new BlockQuerier(block, -1e15, 1e15);
      assert.deepEqual(Object.entries(await read(querier)), Object.entries(expected(series)));
      assert.equal(block.meta.stats.numSeries, 200);
      assert.deepEqual((await querier.labelValues('job', {}, [])).values, ['api', 'db', 'wéb']);
      const some = await read(querier, [new Matcher('=~', 'path', '/p/1.+'), new Matcher('!=', 'zone', 'eu')]);
      const wanted = Object.entries(expected(series)).filter(
        ([text]) => /path=\/p\/1./.test(text) && !text.includes('zone'),
      );
      assert.deepEqual(Object.entries(some), wanted);
      querier.close();
      block.close();
    });

    it(`writes what promtool ${version} lists, analyzes and dumps`, async function () {
      const tool = promtool(this, version);
      const series = content(150, 300, 2);
      const ours = join(dir, 'ours');
      const path = await writeBlock(ours, series);
      assert.deepEqual(await dump(tool, ours), expected(series));
      const { stdout: list } = await run(tool, ['tsdb', 'list', ours]);
      const [, row = ''] = list.trim().split('\n');
      const samples = Object.values(series).reduce((sum, one) => sum + one.length, 0);
      const block = openBlock(path);
      const { minTime, maxTime, stats } = block.meta;
      const columns = row.trim().split(/\s+/);
      const duration = columns.splice(3, 1);
      assert.match(duration[0]!, /^1h/);
      assert.deepEqual(columns, [
        ULID,
        ...[minTime, maxTime, samples, stats.numChunks, 150, block.sizeBytes].map(String),
      ]);
      const { stdout: analysis } = await run(tool, ['tsdb', 'analyze', ours]);
      assert.match(analysis, /Total Series: 150|Series: 150/);
      assert.match(analysis, /Label names: 5/);
      block.delete(BLOCK_START_MS, BLOCK_START_MS + 60_000, [new Matcher('=', 'job', 'db')]);
      block.close();
      const left = expected(series);
      for (const [text, list] of Object.entries(left)) {
        if (!text.includes('job=db')) continue;
        left[text] = list.filter(([timeMs]) => timeMs > BLOCK_START_MS + 60_000);
        if (left[text].length === 0) delete left[text];
      }
      assert.deepEqual(await dump(tool, ours), left);
    });
  }

  it('writes the same bytes as promtool 3.15 for the same samples', async function () {
    // So few that the head makes one chunk of them, as the writer of this test does.
    const series = content(300, 80, 3);
    const theirs = await blockOf(promtool(this, '3.15'), series);
    const ours = await writeBlock(join(dir, 'ours'), series);
    for (const file of ['chunks/000001', 'index', 'tombstones']) {
      assert.ok(readFileSync(join(theirs, file)).equals(readFileSync(join(ours, file))), file);
    }
  });

  it('writes the same bytes as promtool 3.15 for the same series and chunks', async function () {
    const theirs = await blockOf(promtool(this, '3.15'), content(500, 450, 4));
    const block = openBlock(theirs);
    const ours = join(dir, 'ours');
    mkdirSync(ours);
    const writer = new BlockWriter({ dir: ours, ulid: block.meta.ulid, fileSystem: nodeFileSystem, kernels });
    const source = blockSource(block);
    for (const symbol of source.symbols()) writer.addSymbol(symbol);
    for (const { labels, chunks } of source.series()) writer.addSeries(labels, chunks);
    await writer.finish(block.meta, async () => {});
    block.close();
    for (const file of ['chunks/000001', 'index', 'tombstones', 'meta.json']) {
      assert.ok(readFileSync(join(theirs, file)).equals(readFileSync(join(writer.dir, file))), file);
    }
  });
});
