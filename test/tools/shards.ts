/** Queries whose aggregations are computed in parts, by several engines of one thread. */
import { Annotations, Matcher } from '../../lib/model/index.ts';
import type { Assistants, Engine, PartAnswer } from '../../lib/promql/index.ts';
import { collectSeries, type Querier, type Queryable, type Series } from '../../lib/storage/index.ts';

/** Some of the series that matchers select. */
interface Part {
  readonly from: number;
  readonly end: number;
  readonly sorted: boolean;
  readonly matchers: readonly Pick<Matcher, 'type' | 'name' | 'value'>[];
}

/** Any storage, read in parts of about the same size. */
export function divided(queryable: Queryable, count: number, tally?: PartTally): Queryable {
  return { querier: (minTimeMs, maxTimeMs) => dividedQuerier(queryable.querier(minTimeMs, maxTimeMs), count, tally) };
}

function dividedQuerier(querier: Querier, count: number, tally: PartTally | undefined): Querier {
  return {
    select: (sorted, hints, matchers) => querier.select(sorted, hints, matchers),
    labelNames: (hints, matchers) => querier.labelNames(hints, matchers),
    labelValues: (name, hints, matchers) => querier.labelValues(name, hints, matchers),
    close: () => querier.close(),
    async prepare(sorted, hints, matchers) {
      const { length } = await collectSeries(await querier.select(sorted, hints, matchers));
      const plain = matchers.map(({ type, name, value }) => ({ type, name, value }));
      const end = (i: number): number => Math.floor((length * (i + 1)) / count);
      const parts = Array.from({ length: count }, (_, i): Part => ({
        from: end(i - 1),
        end: end(i),
        sorted,
        matchers: plain,
      }));
      // However little there is, help is asked for.
      return { seriesCount: length, work: 1e12, divide: () => parts };
    },
    async selectPart(part, hints) {
      if (tally !== undefined) tally.read++;
      const { from, end, sorted, matchers } = part as Part;
      const again = matchers.map(({ type, name, value }) => new Matcher(type, name, value));
      const series = await collectSeries(await querier.select(sorted, hints, again));
      return { batches: oneBatch(series.slice(from, end)), annotations: new Annotations() };
    },
  };
}

async function* oneBatch(series: readonly Series[]): AsyncGenerator<readonly Series[]> {
  await Promise.resolve();
  if (series.length > 0) yield series;
}

/** How often parts were read, and how many of those times by helpers. */
export interface PartTally {
  read: number;
  taken: number;
}

/**
 * Helpers that each claim parts at once, so that little is left to whoever asks. What they say is copied as between threads.
 * @param sharers for how many each leaves parts; by default so that all parts are taken but one, when there is a part for each
 */
export function localHelp(
  engine: Engine,
  queryable: Queryable,
  helpers: number,
  { tally, sharers = Infinity }: { tally?: PartTally | undefined; sharers?: number } = {},
): Assistants {
  return {
    count: sharers - 1,
    assist(task) {
      const answers = new Map<number, PartAnswer>();
      let failure: unknown;
      const work = async (): Promise<void> => {
        try {
          for await (const answer of engine.assist(queryable, structuredClone(task), {})) {
            answers.set(answer.from, structuredClone(answer));
            if (tally !== undefined) tally.taken += answer.end - answer.from;
          }
        } catch (error) {
          failure = error;
        }
      };
      const done = Promise.all(Array.from({ length: helpers }, work));
      return {
        async answer(part) {
          await done;
          const answer = answers.get(part);
          if (answer === undefined) throw failure;
          return answer;
        },
        end() {},
      };
    },
  };
}
