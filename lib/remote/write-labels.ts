import { compareUtf8, formatLabelName, type Labels, LabelsBuilder, METRIC_NAME, quote } from '../model/index.ts';
import type { RemoteWriteLimits } from './limits.ts';
import { type ProtoReader, WireType } from './proto-reader.ts';

/** Reads a `Label` into names and values in turn. */
export function readPair(reader: ProtoReader, pairs: string[], limits: RemoteWriteLimits): void {
  // One more than is taken tells that there are too many.
  if (pairs.length > 2 * limits.maxLabelsPerSeries) {
    reader.leave(reader.enter());
    return;
  }
  let name = '';
  let value = '';
  const outerEnd = reader.enter();
  while (reader.more) {
    const key = reader.key();
    if (key === 0x0a) name = reader.string();
    else if (key === 0x12) value = reader.string();
    else reader.skip(key);
  }
  reader.leave(outerEnd);
  pairs.push(name, value);
}

/** Reads symbol references, packed or one by one; no more than can be taken, and two. */
export function readRefs(reader: ProtoReader, key: number, refs: number[], limits: RemoteWriteLimits): void {
  const most = 2 * limits.maxLabelsPerSeries + 2;
  if ((key & 7) !== WireType.bytes) {
    const ref = reader.uvarint();
    if (refs.length < most) refs.push(ref);
    return;
  }
  const outerEnd = reader.enter();
  while (reader.more) {
    const ref = reader.uvarint();
    if (refs.length < most) refs.push(ref);
  }
  reader.leave(outerEnd);
}

/** @returns names and values in turn, or why there are none */
export function resolveRefs(refs: readonly number[], symbols: readonly string[]): string[] | string {
  if (refs.length % 2 !== 0) return `invalid labelRefs length ${refs.length}`;
  const pairs: string[] = [];
  for (let i = 0; i < refs.length; i += 2) {
    const [name, value] = [symbols[refs[i]!], symbols[refs[i + 1]!]];
    if (name === undefined || value === undefined) {
      return `labelRefs ${refs[i]} (name) = ${refs[i + 1]} (value) outside of symbols table (size ${symbols.length})`;
    }
    pairs.push(name, value);
  }
  return pairs;
}

/** @returns the labels of a series, or why they cannot be taken */
export function checkedLabels(pairs: readonly string[], limits: RemoteWriteLimits): Labels | string {
  const labels = labelsOf(pairs);
  const names = pairs.filter((_, i) => i % 2 === 0);
  if (!labels.has(METRIC_NAME) || names.includes('')) return `invalid metric name or labels, got ${asSent(pairs)}`;
  const repeated = names.find((name, i) => names.indexOf(name) < i);
  if (repeated !== undefined) return `invalid labels for series, labels ${asSent(pairs)}, duplicated label ${repeated}`;
  const fault = oversize(labels, limits);
  return fault === '' ? labels : fault;
}

/** All pairs, those of one name in the order they came. */
function asSent(pairs: readonly string[]): string {
  const list: [string, string][] = [];
  for (let i = 0; i < pairs.length; i += 2) list.push([pairs[i]!, pairs[i + 1]!]);
  list.sort(([a], [b]) => compareUtf8(a, b));
  return `{${list.map(([name, value]) => `${formatLabelName(name)}=${quote(value)}`).join(', ')}}`;
}

function oversize(labels: Labels, limits: RemoteWriteLimits): string {
  const { maxLabelsPerSeries, maxLabelNameBytes, maxLabelValueBytes } = limits;
  const metric = labels.get(METRIC_NAME).slice(0, maxLabelNameBytes);
  if (labels.size > maxLabelsPerSeries) return `series of ${metric}: more than ${maxLabelsPerSeries} labels`;
  for (const [name, value] of labels) {
    if (Buffer.byteLength(name) > maxLabelNameBytes) {
      return `series of ${metric}: a label name of more than ${maxLabelNameBytes} bytes`;
    }
    if (Buffer.byteLength(value) > maxLabelValueBytes) {
      return `series of ${metric}: a label value of more than ${maxLabelValueBytes} bytes`;
    }
  }
  return '';
}

/** The last of a name wins. */
export function labelsOf(pairs: readonly string[]): Labels {
  const builder = new LabelsBuilder();
  for (let i = 0; i < pairs.length; i += 2) builder.set(pairs[i]!, pairs[i + 1]!);
  return builder.labels();
}
