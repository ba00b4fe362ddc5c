import { readdirSync, readFileSync } from 'node:fs';
import { OpenMetricsParser } from '../../../agent/tsdb/openmetrics-parser.ts';
import { PromletError } from '../../../lib/model/index.ts';

/** A directory for each page: `metrics` is the page, `test.json` says whether it is OpenMetrics. */
export const DATA = new URL('data/', import.meta.url);
const LF = 0x0a;

export interface OpenMetricsOutcome {
  readonly name: string;
  readonly shouldParse: boolean;
  /** Why it does not parse; undefined when it does. */
  readonly error: string | undefined;
  /** All samples that were parsed have a time. */
  readonly isTimed: boolean;
}

/** The pages that are to be refused and are not, as is known. */
export function knownLenient(): {
  readonly acceptedByPrometheusToo: readonly string[];
  readonly acceptedByUsAlone: readonly string[];
} {
  return JSON.parse(readFileSync(new URL('lenient.json', import.meta.url), 'utf8')) as ReturnType<typeof knownLenient>;
}

/** Parses every page of the OpenMetrics test suite. */
export function openMetricsOutcomes(): OpenMetricsOutcome[] {
  return readdirSync(DATA).map((name) => {
    const read = (file: string): Buffer => readFileSync(new URL(`${name}/${file}`, DATA));
    const { shouldParse } = JSON.parse(read('test.json').toString()) as { shouldParse: boolean };
    return { name, shouldParse, ...parsed(read('metrics')) };
  });
}

function parsed(page: Buffer): Pick<OpenMetricsOutcome, 'error' | 'isTimed'> {
  const parser = new OpenMetricsParser();
  let isTimed = true;
  try {
    for (let start = 0; start < page.length; ) {
      const lineFeed = page.indexOf(LF, start);
      const end = lineFeed < 0 ? page.length : lineFeed;
      if (parser.line(page, start, end, lineFeed >= 0) === 'series') {
        parser.labels();
        isTimed &&= parser.timestampMs !== undefined;
      }
      start = end + 1;
    }
    parser.finish();
    return { error: undefined, isTimed };
  } catch (error) {
    if (error instanceof PromletError) return { error: error.message, isTimed };
    throw error;
  }
}
