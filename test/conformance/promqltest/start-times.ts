import { type Labels, parseDuration } from '../../../lib/model/index.ts';
import { parseLabels } from './series-description.ts';

/** A line that gives the samples of the next line their start times: `metric{label="value"}@st _ -30s-1mx2`. */
export interface StartTimes {
  readonly labels: Labels;
  /** ms from the sample's time to its start; undefined for "none". */
  readonly offsetsMs: readonly (number | undefined)[];
}

/** @returns undefined for lines of another sort */
export function parseStartTimes(line: string): StartTimes | undefined {
  const match = /^(\S+)@st\s+(.+)$/.exec(line);
  if (match === null) return undefined;
  return { labels: parseLabels(match[1]!), offsetsMs: match[2]!.trim().split(/\s+/).flatMap(parseItem) };
}

const ITEM = /^([+-]?\d+[a-wyz]*)(?:([+-]\d+[a-wyz]*)?x(\d+))?$/;

function parseItem(item: string): (number | undefined)[] {
  const blank = /^_(?:x(\d+))?$/.exec(item);
  if (blank !== null) return Array.from({ length: Number(blank[1] ?? 1) }, () => undefined);
  const match = ITEM.exec(item);
  if (match === null) throw new Error(`not a start time: ${item}`);
  const firstMs = signedMs(match[1]!);
  const stepMs = match[2] === undefined ? 0 : signedMs(match[2]);
  return Array.from({ length: Number(match[3] ?? 0) + 1 }, (_, i) => firstMs + i * stepMs);
}

function signedMs(text: string): number {
  const milliseconds = parseDuration(text.replace(/^[+-]/, ''));
  return text.startsWith('-') ? -milliseconds : milliseconds;
}
