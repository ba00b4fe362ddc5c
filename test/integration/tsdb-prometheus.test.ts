import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { seededRandom } from '../../lib/env/index.ts';
import { Labels, LabelsBuilder, Matcher, STALE_NAN } from '../../lib/model/index.ts';
import { type PeerBinary, needPeer } from '../tools/peers.ts';
import { eventually, PATIENCE_MS, raw, SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { startPrometheusProgram } from './side-by-side/programs.ts';
import { crashCopy, type Dump, dump, open, START_MS, temporaryDirectory, TestClock } from '../unit/tsdb/harness.ts';

const run = promisify(execFile);
const VALUES = [0, -0, 1.5, 1e308, 5e-324, Infinity, -Infinity, NaN, STALE_NAN, 123456789];

describe('tsdb: Prometheus on the same directory', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  const cleanUps: (() => unknown)[] = [];
  const directory = (): string => temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  /** Fills a directory over three openings, with odd labels and values, and "crashes". @returns what it holds */
  async function fill(dir: string, walCompression: 'none' | 'snappy', base: number): Promise<Dump> {
    const random = seededRandom(9);
    const live = directory();
    const clock = new TestClock();
    clock.nowMs = base + 86_400_000;
    for (let opening = 0; ; opening++) {
      const db = await open(live, { walCompression, clock });
      for (let scrape = 0; scrape < 200; scrape++) {
        const appender = db.appender();
        const refs = Uint32Array.from({ length: 60 }, (_, i) =>
          appender.series(
            Labels.of({
              __name__: i % 2 ? 'm_total' : 'métrique.ü',
              i: String(i),
              odd: 'a"\\\n\u{1f600}',
              s: String(opening),
            }),
          ),
        );
        const values = Float64Array.from(refs, (_, i) =>
          i % 5 === 0 ? VALUES[Math.floor(random() * VALUES.length)]! : i % 5 === 1 ? scrape : random() * 1e6,
        );
        const time = base + (opening * 200 + scrape) * 15_000 + Math.floor(random() * 3);
        assert.equal(appender.appendColumns(refs, values, refs.length, time, new Uint8Array(refs.length)), 0);
        await appender.commit();
      }
      if (opening === 2) {
        crashCopy(live, dir);
        const expected = await dump(db);
        await db.close();
        return expected;
      }
      await db.close();
    }
  }

  async function promtoolDump(promtool: string, dir: string): Promise<Dump> {
    const { stdout } = await run(promtool, ['tsdb', 'dump', dir], { maxBuffer: 1 << 28 });
    const out: Dump = {};
    for (const line of stdout.split('\n')) {
      const match = /^(\{.*\}) (\S+) (-?\d+)$/.exec(line);
      if (match === null) continue;
      const [, series, value, time] = match;
      (out[series!] ??= []).push([Number(time), value!]);
    }
    return out;
  }

  /** Values as promtool prints them: Go's %v; NaN of any kind is NaN. */
  function normalised(samples: Dump): Dump {
    const out: Dump = {};
    for (const [series, list] of Object.entries(samples)) {
      const key = series.replaceAll('\\U', '\\u');
      out[key] = list.map(([time, value]) => {
        const number =
          value === 'stale' ? NaN : value === '+Inf' ? Infinity : value === '-Inf' ? -Infinity : Number(value);
        return [time, Object.is(number, -0) ? '-0' : String(number)];
      });
    }
    return out;
  }

  const tools: { binary: PeerBinary; name: string }[] = [{ binary: 'promtool', name: 'promtool 3.15' }];
  for (const { binary, name } of tools) {
    for (const walCompression of ['none', 'snappy'] as const) {
      it(`${name} dumps exactly our samples (${walCompression})`, async function () {
        const promtool = needPeer(this, binary);
        const dir = directory();
        const expected = await fill(dir, walCompression, START_MS);
        const theirs = normalised(await promtoolDump(promtool, dir));
        assert.equal(Object.keys(expected).length, 180);
        assert.deepEqual(theirs, normalised(expected));
      });
    }
  }

  for (const binary of ['prometheus', 'prometheus2'] as const) {
    it(`${binary} starts on our directory and answers with every sample; we then read on behind it`, async function () {
      const program = needPeer(this, binary);
      const dir = directory();
      const now = Date.now();
      const base = now - 600 * 15_000 - 60_000;
      const expected = await fill(dir, 'snappy', base);
      const home = directory();
      const options = { configFile: join(home, 'prometheus.yml'), dataDir: dir, logFile: join(home, 'log') };
      // Of a target that nobody listens for it knows that it is down.
      const job = `{ job_name: down, scrape_interval: 200ms, static_configs: [{ targets: ['127.0.0.1:1'] }] }`;
      writeFileSync(options.configFile, `scrape_configs: [${job}]\n`);
      const { url, process: server } = await startPrometheusProgram(program, options);
      cleanUps.push(() => server.stop('SIGKILL'));
      let answered = 0;
      try {
        for (const series of await raw(url, '{i=~".+"}[3h]', now / 1000)) {
          const labels = new LabelsBuilder();
          for (const [name, value] of Object.entries(series.metric)) labels.set(name, value);
          const ours = expected[labels.labels().toString()]!.filter(([, value]) => value !== 'stale');
          assert.deepEqual(
            series.values.map(([seconds, value]) => [
              Math.round(seconds * 1000),
              Number(value.replace('Inf', 'Infinity')),
            ]),
            ours.map(([time, value]) => [time, Number(value)]),
          );
          answered++;
        }
        // It goes on in the same log.
        await eventually('a scrape', PATIENCE_MS, async () => (await raw(url, 'up[1m]', Date.now() / 1000)).length > 0);
      } finally {
        await server.stop();
      }
      assert.equal(answered, 180);

      // Both its samples and ours are there.
      const copy = directory();
      cpSync(dir, copy, { recursive: true });
      const clock = new TestClock();
      clock.nowMs = Date.now();
      const db = await open(copy, { clock });
      cleanUps.push(() => db.close());
      assert.deepEqual(db.stats().replay.damage, []);
      assert.deepEqual(await dump(db, [new Matcher('=~', 'i', '.+'), new Matcher('=', 'job', '')]), expected);
      const theirs = await dump(db, [new Matcher('=', '__name__', 'up'), new Matcher('=', 'job', 'down')]);
      assert.ok(Object.values(theirs)[0]!.length > 0);
    });
  }
});
