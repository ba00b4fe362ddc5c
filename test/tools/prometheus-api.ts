/** The few calls of the Prometheus HTTP API that the suites make. */

/**
 * How long to wait for what takes a second or two: a guard against hanging, met by a machine a hundred times as slow. Suites that
 * wait so allow their tests `SUITE_TIMEOUT_MS`.
 */
export const PATIENCE_MS = 120_000;
export const SUITE_TIMEOUT_MS = 600_000;

export interface InstantSample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [seconds: number, value: string];
}

export interface RawSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [seconds: number, value: string])[];
}

interface Answer<T> {
  readonly status: 'success' | 'error';
  readonly data?: T;
  readonly error?: string;
  readonly errorType?: string;
  readonly warnings?: readonly string[];
}

/** A call of `path` with form parameters. @throws when the answer is an error */
export async function call<T>(
  url: string,
  path: string,
  parameters: Readonly<Record<string, string>> = {},
): Promise<{ data: T; warnings: readonly string[] }> {
  const query = new URLSearchParams(parameters);
  const response = await fetch(`${url}/api/v1/${path}?${query.toString()}`, {
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const answer = (await response.json()) as Answer<T>;
  if (answer.status !== 'success') throw new Error(`${path}: ${answer.errorType}: ${answer.error}`);
  return { data: answer.data as T, warnings: answer.warnings ?? [] };
}

export async function instant(url: string, query: string, timeSeconds?: number): Promise<InstantSample[]> {
  const parameters = timeSeconds === undefined ? { query } : { query, time: String(timeSeconds) };
  return (await call<{ result: InstantSample[] }>(url, 'query', parameters)).data.result;
}

/**
 * The targets whose newest scrape went well, with its time as the value. Not `timestamp(up == 1)`: of what was computed that is
 * the time of the evaluation.
 * @param selector of `up`, like `{job="a"}`
 */
export function lastGoodScrapes(url: string, selector: string): Promise<InstantSample[]> {
  return instant(url, `timestamp(up${selector}) and up${selector} == 1`);
}

/** Waits until `count` targets were scraped well after `seconds`. */
export async function goodScrapesSince(url: string, selector: string, seconds: number, count: number): Promise<void> {
  await eventually(`${count} good scrapes of ${selector}`, PATIENCE_MS, async () => {
    const scrapes = await lastGoodScrapes(url, selector);
    return scrapes.length === count && scrapes.every(({ value }) => Number(value[1]) > seconds);
  });
}

/** Raw samples: a range selector evaluated at an instant. */
export async function raw(url: string, selector: string, timeSeconds: number): Promise<RawSeries[]> {
  const parameters = { query: selector, time: String(timeSeconds) };
  return (await call<{ result: RawSeries[] }>(url, 'query', parameters)).data.result;
}

/** Polls `attempt` until it returns something; errors count as "not yet". @throws the last reason when time runs out */
export async function eventually<T>(
  what: string,
  timeoutMs: number,
  attempt: () => Promise<T | undefined | false>,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let reason: unknown = 'nothing came back';
  for (;;) {
    try {
      const value = await attempt();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      reason = error;
    }
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`, { cause: reason });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
