import { layout } from '../../kernels/index.ts';
import type { Matcher } from '../../model/index.ts';
import { selectPostings } from '../select.ts';
import type { LoggedTombstone } from '../wal/tombstone-record.ts';
import type { Head } from './head.ts';
import { HeadPostings } from './head-postings.ts';
import type { ChunkPlace } from './series-reader.ts';

const { HEAD_OOO_MIN_TIME } = layout;

/**
 * Deletes what matching series have within [minMs, maxMs], both inclusive (`Head.Delete` of tsdb/head.go). Samples that come
 * later are not touched: the interval ends with the newest of its series.
 * @param log makes it durable before it holds @throws what `log` throws: nothing is deleted then
 */
export function deleteFromHead(
  head: Head,
  minMs: number,
  maxMs: number,
  matchers: readonly Matcher[],
  log: (tombstones: readonly LoggedTombstone[]) => void,
): void {
  const { table, view, root, outOfOrder, chunkReader } = head;
  const lateMinMs = head.kernels.arena.f64[(root.address + HEAD_OOO_MIN_TIME) / 8]!;
  const tombstones: LoggedTombstone[] = [];
  const places: ChunkPlace[] = [];
  for (const ref of selectPostings(new HeadPostings(view), matchers)) {
    const record = table.record(ref);
    if (record === 0) continue;
    const late = outOfOrder.has(ref);
    const newestLateMs = late ? chunkReader.outOfOrder.lastTimeMs(ref, -Infinity, Infinity) : undefined;
    if (table.chunkPlaces(record, -Infinity, Infinity, places) === 0 && !late) continue;
    const oldestMs = Math.min(places[0]?.minTimeMs ?? Infinity, late ? lateMinMs : Infinity);
    const interval = {
      minTimeMs: Math.max(minMs, oldestMs),
      maxTimeMs: Math.min(maxMs, Math.max(table.lastTimeMs(record), newestLateMs ?? -Infinity)),
    };
    if (interval.minTimeMs <= interval.maxTimeMs) tombstones.push({ ref, interval });
  }
  if (tombstones.length === 0) return;
  log(tombstones);
  root.beginWrite();
  for (const { ref, interval } of tombstones) head.tombstones.add(ref, interval);
  root.endWrite();
}
