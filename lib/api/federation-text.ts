import {
  bucketIndexes,
  CUSTOM_BUCKETS_SCHEMA,
  type FloatHistogram,
  formatGeneral,
  Labels,
  METRIC_NAME,
} from '../model/index.ts';
import { type Escaping, escapeName, isLegacyName } from './exposition-format.ts';

export interface FederatedSample {
  readonly labels: Labels;
  readonly timestampMs: number;
  readonly value: number;
  readonly histogram: FloatHistogram | undefined;
}

const PIECE_LENGTH = 64 * 1024;

/**
 * The text format of samples that come in the order of their names (expfmt `text_create.go`).
 * @param external labels of the whole program, for series that have none of the name; `instance` is told even when empty
 */
export function* federationText(
  samples: readonly FederatedSample[],
  external: Labels | undefined,
  escaping: Escaping,
): Generator<string> {
  const added = [...(external ?? Labels.EMPTY)];
  if (external === undefined || !external.has('instance')) added.push(['instance', '']);
  added.sort(([a], [b]) => (a < b ? -1 : 1));
  let out = '';
  let family = '';
  for (const { labels, timestampMs, value, histogram } of samples) {
    const name = escapeName(labels.get(METRIC_NAME), escaping);
    if (name === '' || (histogram !== undefined && histogram.schema !== CUSTOM_BUCKETS_SCHEMA)) continue;
    const type = histogram === undefined ? 'untyped' : 'histogram';
    const head = `# TYPE ${isLegacyName(name) ? name : quoted(name)} ${type}\n`;
    if (head !== family) out += head;
    family = head;
    const pairs = [...labels].filter(([label]) => label !== METRIC_NAME);
    for (const pair of added) if (!labels.has(pair[0])) pairs.push(pair);
    const written = pairs.map(([label, text]): [string, string] => [escapeName(label, escaping), text]);
    if (histogram === undefined) out += line(name, written, value, timestampMs);
    else out += classicHistogram(name, written, histogram, timestampMs);
    if (out.length < PIECE_LENGTH) continue;
    yield out;
    out = '';
  }
  yield out;
}

/** Custom buckets are classic ones: cumulative counts by upper bound. */
function classicHistogram(
  name: string,
  labels: readonly [string, string][],
  { positiveSpans, positiveBuckets, customValues, count, sum }: FloatHistogram,
  timestampMs: number,
): string {
  const indexes = bucketIndexes(positiveSpans);
  let out = '';
  let next = 0;
  let cumulative = 0;
  const bucket = (le: number, upTo: number): string =>
    line(`${name}_bucket`, [...labels, ['le', formatGeneral(le)]], upTo, timestampMs);
  customValues.forEach((le, i) => {
    for (; next < indexes.length && indexes[next]! <= i; next++) cumulative += positiveBuckets[next]!;
    out += bucket(le, cumulative);
  });
  return `${out}${bucket(Infinity, count)}${line(`${name}_sum`, labels, sum, timestampMs)}${line(`${name}_count`, labels, count, timestampMs)}`;
}

function line(name: string, labels: readonly [string, string][], value: number, timestampMs: number): string {
  const inBraces = labels.map(([label, text]) => `${isLegacyLabel(label) ? label : quoted(label)}=${quoted(text)}`);
  const isLegacy = isLegacyName(name);
  if (!isLegacy) inBraces.unshift(quoted(name));
  const braces = inBraces.length === 0 ? '' : `{${inBraces.join(',')}}`;
  return `${isLegacy ? name : ''}${braces} ${value === 0 ? '0' : formatGeneral(value)} ${timestampMs}\n`;
}

function isLegacyLabel(name: string): boolean {
  return isLegacyName(name) && !name.includes(':');
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')}"`;
}
