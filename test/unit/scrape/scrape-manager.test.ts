import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createLogger, seededRandom } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { ScrapeManager } from '../../../agent/scrape/index.ts';
import type { ScrapeConfig } from '../../../lib/config/index.ts';
import type { Labels } from '../../../lib/model/index.ts';
import { until } from '../../tools/until.ts';
import { closeServers, MemoryStorage, ScrapeClock, scrapeConfig, serve, targetGroup } from './fixtures.ts';

/** A target whose page is `pages[n]` in its n-th scrape, the last one for ever; undefined answers 500. */
async function target(pages: readonly (string | Buffer | undefined)[], contentType = 'text/plain; version=0.0.4') {
  let scrapes = 0;
  const address = await serve((_request, response) => {
    const page = pages[Math.min(scrapes++, pages.length - 1)];
    if (page === undefined) response.writeHead(500).end('broken');
    else response.setHeader('Content-Type', contentType).end(page);
  });
  return { address, scrapes: () => scrapes };
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('scrape manager', () => {
  let storage: MemoryStorage;
  let clock: ScrapeClock;
  let manager: ScrapeManager;

  function start(config: Partial<ScrapeConfig>, addresses: readonly string[]) {
    storage = new MemoryStorage();
    clock = new ScrapeClock();
    manager = new ScrapeManager({
      kernels: createKernels(),
      appendable: storage,
      clock,
      logger: createLogger('silent'),
      random: seededRandom(1),
      version: '0.0.0',
      offsetSeed: 'test',
      externalHost: 'node-a',
    });
    manager.applyConfig([scrapeConfig(config)]);
    manager.setTargetGroups('test', [targetGroup(addresses)]);
    return addresses[0]!;
  }

  afterEach(async () => {
    manager.stop();
    await closeServers();
  });

  /** Lets one scrape after the other happen, each to its end, until `condition` holds. */
  const scrapedUntil = async (condition: () => boolean): Promise<void> => {
    while (!condition()) {
      const { commits } = storage;
      clock.next();
      await until(() => storage.commits > commits);
      // Its loop sets the timer of the next one.
      await nextTurn();
    }
  };
  const scraped = (count: number) => scrapedUntil(() => storage.commits >= count);
  const scrapedEach = (count: number, addresses: readonly string[]) =>
    scrapedUntil(() => addresses.every((address) => storage.values(series('up', address)).length >= count));
  const series = (name: string, instance: string, more = '') =>
    `{__name__="${name}", instance="${instance}", job="test"${more}}`;

  it('stores known, changed and new lines, and marks vanished series stale', async () => {
    const { address } = await target(['a 1\nb 2\n', 'a 3\nnew 1\nb NaN\n', 'new 2\nb 4\n']);
    start({}, [address]);
    await scraped(4);
    assert.deepEqual(storage.values(series('a', address)), [1, 3, 'stale']);
    assert.deepEqual(storage.values(series('b', address)), [2, NaN, 4, 4]);
    assert.deepEqual(storage.values(series('new', address)), [1, 2, 2]);
    assert.deepEqual(storage.values(series('up', address)), [1, 1, 1, 1]);
    assert.deepEqual(storage.values(series('scrape_samples_scraped', address)), [2, 3, 2, 2]);
    assert.deepEqual(storage.values(series('scrape_series_added', address)), [2, 1, 0, 0]);
  });

  it('gives a failed scrape up 0, its error, and stale markers once', async () => {
    const { address } = await target(['a 1\n', undefined, undefined, 'a 2\n']);
    start({}, [address]);
    await scraped(2);
    const [active] = manager.snapshot().active;
    assert.equal(active!.health, 'down');
    assert.equal(active!.lastError, 'server returned HTTP status 500 Internal Server Error');
    await scraped(4);
    assert.deepEqual(storage.values(series('a', address)), [1, 'stale', 2]);
    assert.deepEqual(storage.values(series('up', address)), [1, 0, 0, 1]);
  });

  it('names line and reason of a malformed page, and leaves other targets alone', async () => {
    const bad = await target(['a 1\n', 'a 1\nb{x="1" 2\n']);
    const good = await target(['a 1\n']);
    start({}, [bad.address, good.address]);
    await scrapedEach(2, [bad.address, good.address]);
    const byAddress = new Map(manager.snapshot().active.map((t) => [t.labels.get('instance'), t]));
    assert.equal(
      byAddress.get(bad.address)!.lastError,
      'line 2: expected label name, got "2" ("INVALID") while parsing: "b{x=\\"1\\" 2"',
    );
    assert.equal(byAddress.get(good.address)!.health, 'up');
    assert.deepEqual(storage.values(series('a', bad.address)).slice(0, 2), [1, 'stale']);
  });

  it('counts a line whose label value is not UTF-8 as not scraped, and one with a label twice as scraped', async () => {
    const { address } = await target(['a 1\nb{c="\xff"} 1\n', 'a 1\nb{c="1",c="2"} 1\n'].map(latin1));
    start({}, [address]);
    await scraped(2);
    assert.deepEqual(storage.values(series('up', address)), [0, 0]);
    assert.deepEqual(storage.values(series('scrape_samples_scraped', address)), [1, 2]);
  });

  it('counts new lines of a failing page as added once, and those that storage refuses never', async () => {
    const failing = await target(['a 1\nb 1\nc\n', 'a 1\nb 1\nc\n', 'a 1\nb 1\nc 1\n']);
    const late = await target(['a 1 2000\nb 1\n', 'a 1 1000\nb 1\nn{x="1"} 1 1\n']);
    start({}, [failing.address, late.address]);
    storage.samples.set(series('n', late.address, ', x="1"'), [[5, 1]]);
    await scrapedEach(3, [failing.address, late.address]);
    assert.deepEqual(storage.values(series('scrape_series_added', failing.address)).slice(0, 3), [2, 0, 1]);
    assert.deepEqual(storage.values(series('scrape_series_added', late.address)).slice(0, 3), [2, 0, 0]);
  });

  it('keeps a target whose scheme is not HTTP, as one that fails', async () => {
    start({ relabel_configs: [{ target_label: '__scheme__', replacement: 'ftp' }] }, ['127.0.0.1:9']);
    await scraped(2);
    const [active] = manager.snapshot().active;
    assert.equal(active!.health, 'down');
    assert.equal(active!.lastError, 'Get "ftp://127.0.0.1:9/metrics": unsupported protocol scheme "ftp"');
    assert.deepEqual(storage.values(series('up', '127.0.0.1:9')), [0, 0]);
  });

  it('marks the series of a removed target stale, its report included', async () => {
    const { address } = await target(['a 1\n']);
    start({}, [address]);
    await scraped(1);
    manager.setTargetGroups('test', []);
    assert.deepEqual(manager.snapshot().active, []);
    await scraped(2);
    assert.deepEqual(storage.values(series('a', address)), [1, 'stale']);
    assert.deepEqual(storage.values(series('up', address)), [1, 'stale']);
  });

  it('writes no stale markers when the agent stops', async () => {
    const { address } = await target(['a 1\n']);
    start({}, [address]);
    await scraped(1);
    manager.stop();
    assert.equal(clock.timerCount, 0);
    assert.deepEqual(storage.values(series('a', address)), [1]);
  });

  it('scrapes a new target at once, whatever its interval', async () => {
    const { address } = await target(['a 1\n']);
    start({ scrape_interval: 3_600_000, scrape_timeout: 10_000 }, [address]);
    const startMs = clock.now();
    await scraped(1);
    assert.ok(clock.now() - startMs <= 1_000, `${clock.now() - startMs} ms`);
    assert.deepEqual(storage.values(series('a', address)), [1]);
  });

  it('keeps the loop of an unchanged target across a reload, and stales what relabelling renames', async () => {
    const { address } = await target(['a 1\nb 1\n']);
    start({}, [address]);
    await scraped(2);
    manager.applyConfig([
      scrapeConfig({ metric_relabel_configs: [{ source_labels: ['__name__'], regex: 'a', action: 'drop' }] }),
    ]);
    await scraped(4);
    assert.deepEqual(storage.values(series('a', address)), [1, 1, 'stale']);
    assert.deepEqual(storage.values(series('b', address)), [1, 1, 1, 1]);
    assert.deepEqual(storage.values(series('scrape_samples_post_metric_relabeling', address)), [2, 2, 1, 1]);
  });

  it('honours timestamps: stored as given, no stale marker', async () => {
    const timeMs = new ScrapeClock().now() - 5_000;
    const { address } = await target([`a 1 ${timeMs}\nb 1\n`, 'b 2\n']);
    start({}, [address]);
    await scraped(3);
    assert.deepEqual(storage.samples.get(series('a', address)), [[timeMs, 1]]);
  });

  it('moves exposed labels out of the way of target labels, or honours them', async () => {
    const { address } = await target(['a{job="own",x="1"} 1\n']);
    start({}, [address]);
    await scraped(1);
    const moved = `{__name__="a", exported_job="own", instance="${address}", job="test", x="1"}`;
    assert.deepEqual(storage.values(moved), [1]);
    manager.stop();
    start({ honor_labels: true }, [address]);
    await scraped(1);
    assert.deepEqual(storage.values(`{__name__="a", instance="${address}", job="own", x="1"}`), [1]);
  });

  const limits: readonly (readonly [Partial<ScrapeConfig>, RegExp])[] = [
    [{ sample_limit: 2 }, /^sample limit exceeded$/],
    [{ body_size_limit: 10 }, /^body size limit exceeded$/],
    [{ label_limit: 3 }, /^label_limit exceeded \(metric: a, number of labels: 4, limit: 3\)$/],
    [{ label_name_length_limit: 7 }, /^label_name_length_limit exceeded/],
    [{ label_value_length_limit: 5 }, /^label_value_length_limit exceeded/],
  ];
  for (const [config, error] of limits) {
    it(`fails the scrape at ${Object.keys(config)[0]}`, async () => {
      const { address } = await target(['a{l="1"} 1\na{l="2"} 1\na{l="3"} 1\n']);
      start(config, [address]);
      await scraped(1);
      assert.match(manager.snapshot().active[0]!.lastError, error);
      assert.deepEqual(storage.values(series('up', address)), [0]);
      assert.deepEqual(storage.values(series('a', address, ', l="1"')), []);
    });
  }

  const defaults: readonly (readonly [string, string, RegExp, Partial<ScrapeConfig>])[] = [
    [
      'labels',
      `a{${Array.from({ length: 38 }, (_, i) => `l${i}="1"`).join(',')}} 1\n`,
      /^label_limit exceeded \(metric: a, number of labels: 41, limit: 40\)$/,
      { label_limit: 41 },
    ],
    [
      'long label names',
      `a{${'n'.repeat(257)}="1"} 1\n`,
      /^label_name_length_limit exceeded \(metric: a, label name: n{50}, length: 257, limit: 256\)$/,
      { label_name_length_limit: 257 },
    ],
    [
      'long label values',
      `a{l="${'v'.repeat(4097)}"} 1\n`,
      /^label_value_length_limit exceeded \(metric: a, label name: l, value: "v{50}", length: 4097, limit: 4096\)$/,
      { label_value_length_limit: 4097 },
    ],
    [
      'samples',
      Array.from({ length: 50_001 }, (_, i) => `a{i="${i}"} 1\n`).join(''),
      /^sample limit exceeded$/,
      { sample_limit: 50_001 },
    ],
    ['a large body', `a 1 \n# ${'x'.repeat(16 << 20)}\n`, /^body size limit exceeded$/, { body_size_limit: 17 << 20 }],
  ];
  for (const [what, page, error, raised] of defaults) {
    it(`limits ${what} where the configuration does not, and no longer when it allows more`, async () => {
      const { address } = await target([page]);
      const times = { scrape_interval: 20_000, scrape_timeout: 20_000 };
      start(times, [address]);
      await scraped(1);
      assert.match(manager.snapshot().active[0]!.lastError, error);
      manager.stop();
      start({ ...times, ...raised }, [address]);
      await scraped(1);
      assert.equal(manager.snapshot().active[0]!.lastError, '');
    });
  }

  /** Lets time go by while the clock is looked at: a slice of a page ends after a few looks. */
  const slowDown = (): void => {
    let monotonicMs = 0;
    clock.monotonicMs = () => monotonicMs++;
  };

  it('reads a large new page in slices, one page at a time, and commits it as a whole', async () => {
    const lines = 5_000;
    const page = (name: string) => Array.from({ length: lines }, (_, i) => `${name}{i="${i}"} ${i}\n`).join('');
    // Both pages come at the same time.
    const answers: (() => void)[] = [];
    const targetOf = (name: string): Promise<string> =>
      serve((_request, response) => {
        answers.push(() => response.setHeader('Content-Type', 'text/plain').end(page(name)));
        if (answers.length === 2) for (const answer of answers) answer();
      });
    const addresses = { one: await targetOf('one'), two: await targetOf('two') };
    let turn = 0;
    let next = setImmediate(function count() {
      turn++;
      next = setImmediate(count);
    });
    start({ scrape_interval: 60_000, scrape_timeout: 60_000 }, Object.values(addresses));
    slowDown();
    const turns = new Map<string, Set<number>>();
    const create = storage.appender.bind(storage);
    storage.appender = () => {
      const appender = create();
      const series = (labels: Labels): number => {
        const name = labels.get('__name__');
        turns.set(name, (turns.get(name) ?? new Set()).add(turn));
        return appender.series(labels);
      };
      return { ...appender, series };
    };
    clock.next();
    clock.next();
    try {
      await until(() => storage.commits === 2);
    } finally {
      clearImmediate(next);
    }
    const [first, second] = [[...turns.get('one')!], [...turns.get('two')!]].sort(([x], [y]) => x! - y!);
    assert.ok(first!.length > 10 && second!.length > 10, `${first!.length} and ${second!.length} slices`);
    assert.ok(first!.at(-1)! <= second![0]!, 'two pages were read at once');
    for (const [name, address] of Object.entries(addresses)) {
      assert.deepEqual(storage.values(series('scrape_series_added', address)), [lines]);
      for (const i of [0, 4_999]) {
        assert.deepEqual(storage.values(`{__name__="${name}", i="${i}", instance="${address}", job="test"}`), [i]);
      }
    }
    assert.equal(storage.commits, 2);
  });

  it('stops in the middle of a page without storing a part of it', async () => {
    const { address } = await target([Array.from({ length: 5_000 }, (_, i) => `a{i="${i}"} ${i}\n`).join('')]);
    let seriesCount = 0;
    start({ scrape_interval: 60_000, scrape_timeout: 60_000 }, [address]);
    slowDown();
    const create = storage.appender.bind(storage);
    storage.appender = () => {
      const appender = create();
      const series = (labels: Labels): number => {
        if (seriesCount++ === 0) setImmediate(() => manager.stop());
        return appender.series(labels);
      };
      return { ...appender, series };
    };
    clock.next();
    await until(() => storage.rollbacks === 1);
    assert.ok(seriesCount < 5_000, `${seriesCount} lines`);
    assert.equal(storage.commits, 0);
  });

  it('counts what limits and storage reject, and the times between scrapes', async () => {
    const { address } = await target([`a 1\na 2\n`]);
    const { address: large } = await target(['a 1\nb 1\nc 1\n']);
    start({ sample_limit: 2 }, [address, large]);
    await scrapedEach(3, [address, large]);
    const { stats } = manager;
    assert.equal(stats.poolsCreated, 1);
    assert.equal(stats.samplesDuplicate, storage.values(series('up', address)).length);
    assert.equal(stats.exceededSampleLimit, storage.values(series('up', large)).length);
    assert.deepEqual([stats.samplesOutOfOrder, stats.exceededLabelLimits, stats.exceededBodySizeLimit], [0, 0, 0]);
    const [lengths] = [...stats.intervals];
    assert.equal(lengths!.interval, '100ms');
    assert.equal(lengths!.count, storage.commits - 2);
    const [least, most] = lengths!.quantilesMs([0, 1]);
    assert.ok(least! > 0 && least! <= lengths!.sumMs / lengths!.count && most! >= lengths!.sumMs / lengths!.count);
    assert.deepEqual([...manager.targetCounts()], [['test', 2]]);
  });

  it('fails every target of a job above target_limit', async () => {
    const one = await target(['a 1\n']);
    const two = await target(['a 1\n']);
    start({ target_limit: 1 }, [one.address, two.address]);
    await scrapedEach(1, [one.address, two.address]);
    for (const { health, lastError } of manager.snapshot().active) {
      assert.equal(health, 'down');
      assert.equal(lastError, 'target_limit exceeded (number of targets: 2, limit: 1)');
    }
  });

  it('goes on with known series when storage refuses new ones, and says so', async () => {
    const { address } = await target(['a 1\n', 'a 2\nb 1\n']);
    start({}, [address]);
    await scraped(1);
    storage.seriesLimit = 0;
    await scraped(2);
    const [active] = manager.snapshot().active;
    assert.equal(active!.health, 'up');
    assert.match(active!.lastError, /^1 new series refused/);
    assert.equal(storage.values(series('a', address)).at(-1), 2);
  });

  it('finds its series again when storage has forgotten them', async () => {
    const { address } = await target(['a 1\nb 2\n']);
    start({}, [address]);
    await scraped(1);
    for (const ref of [1, 2, 3, 4, 5, 6, 7]) storage.forgotten.add(ref);
    await scraped(2);
    assert.deepEqual(storage.values(series('a', address)), [1, 1]);
    assert.deepEqual(storage.values(series('up', address)), [1, 1]);
  });

  it('counts a repeated line as a duplicate and stores the first', async () => {
    const { address } = await target(['a 1\nb 1\na 2\n']);
    start({}, [address]);
    await scraped(3);
    assert.deepEqual(storage.values(series('a', address)), [1, 1, 1]);
    assert.deepEqual(storage.values(series('scrape_samples_scraped', address)), [3, 3, 3]);
  });

  it('shows targets as the HTTP API does', async () => {
    const { address } = await target(['a 1\n']);
    start({ params: { module: ['x'] }, scrape_interval: 60_000, scrape_timeout: 10_000 }, [address]);
    await scraped(1);
    const snapshot = manager.snapshot();
    const [active] = snapshot.active;
    assert.equal(active!.scrapeUrl, `http://${address}/metrics?module=x`);
    assert.equal(active!.globalUrl, `http://node-a:${address.split(':')[1]}/metrics?module=x`);
    assert.equal(active!.scrapePool, 'test');
    assert.deepEqual([active!.scrapeIntervalMs, active!.scrapeTimeoutMs, active!.health], [60_000, 10_000, 'up']);
    assert.equal(active!.discoveredLabels.get('__param_module'), 'x');
    assert.deepEqual({ ...active!.labels.toJSON() }, { instance: address, job: 'test' });
    assert.deepEqual(snapshot.dropped, []);
    manager.applyConfig([
      scrapeConfig({ relabel_configs: [{ source_labels: ['__address__'], regex: '.*', action: 'drop' }] }),
    ]);
    assert.deepEqual(manager.snapshot().active, []);
    assert.equal(manager.snapshot().dropped[0]!.discoveredLabels.get('__address__'), address);
    assert.deepEqual({ ...manager.snapshot().droppedCounts }, { test: 1 });
  });
});
