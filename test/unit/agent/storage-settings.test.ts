import assert from 'node:assert/strict';
import { parseFlags } from '../../../agent/flags.ts';
import { describeRetention, flaggedRetention, storageSettings } from '../../../agent/storage-settings.ts';
import { parseConfig } from '../../../lib/config/index.ts';

const DAY_MS = 86_400_000;

const settings = async (yaml: string, args: readonly string[] = []) =>
  storageSettings((await parseConfig(yaml)).storage, parseFlags(args, {}, '0.0.0'));

describe('storage settings', () => {
  it('keep 15 days unless a flag or the configuration says otherwise', async () => {
    assert.deepEqual(await settings(''), {
      outOfOrderWindowMs: 0,
      maxExemplars: 0,
      retention: { timeMs: 15 * DAY_MS, sizeBytes: 0, diskPercent: 0 },
    });
    assert.deepEqual((await settings('', ['--storage.tsdb.retention.size=1GB'])).retention, {
      timeMs: 0,
      sizeBytes: 2 ** 30,
      diskPercent: 0,
    });
    const yaml =
      'storage: { tsdb: { retention: { time: 3d, size: 2GB, percentage: 50 }, out_of_order_time_window: 30m }, exemplars: { max_exemplars: 7 } }';
    assert.deepEqual(await settings(yaml, ['--storage.tsdb.retention.time=1d']), {
      outOfOrderWindowMs: 1_800_000,
      maxExemplars: 7,
      retention: { timeMs: 3 * DAY_MS, sizeBytes: 2 ** 31, diskPercent: 50 },
    });
  });

  it('refuse what the database does not do', async () => {
    await assert.rejects(
      settings('storage: { tsdb: { chunk_encoding: { floats: xor2 } } }'),
      /xor2 is read, but not written/,
    );
    await assert.rejects(settings('storage: { tsdb: { stale_series_compaction_threshold: 0.5 } }'), /stale_series/);
  });

  it('are shown as Prometheus shows them', () => {
    const show = (args: readonly string[]): string =>
      describeRetention(flaggedRetention(parseFlags(args, {}, '0.0.0')));
    assert.equal(show([]), '15d');
    assert.equal(show(['--storage.tsdb.retention.time=1d', '--storage.tsdb.retention.size=2GB']), '1d or 2GiB');
  });
});
