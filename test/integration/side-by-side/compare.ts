/** Holds an answer of ours against Prometheus's: everything must be equal, values but for the last bits. */

/** What an endpoint said. */
export interface Said {
  readonly status: number;
  readonly contentType: string | null;
  readonly body: Body;
}

interface Body {
  readonly status: string;
  readonly errorType?: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
  readonly data?: { readonly resultType: string; readonly result: unknown };
}

type Point = readonly [seconds: number, value: string];

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: Point;
  readonly values?: readonly Point[];
}

const TOLERANCE = 1e-12;

export async function ask(base: string, path: string, init: RequestInit = {}): Promise<Said> {
  const response = await fetch(`${base}/api/v1/${path}`, init);
  const text = await response.text();
  return { status: response.status, contentType: response.headers.get('content-type'), body: JSON.parse(text) as Body };
}

export function askForm(base: string, path: string, params: Readonly<Record<string, string>>): Promise<Said> {
  return ask(base, path, { method: 'POST', body: new URLSearchParams(params) });
}

/** Label sets as one string, names sorted. */
export function keyOf(metric: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** @returns how ours differs, undefined when it does not */
export function queryDifference(ours: Said, theirs: Said, ordered: boolean): string | undefined {
  const [a, b] = [ours.body, theirs.body];
  for (const [what, x, y] of [
    ['status', ours.status, theirs.status],
    ['type', a.errorType, b.errorType],
    ['error', a.error, b.error],
    ['warnings', a.warnings?.toSorted(), b.warnings?.toSorted()],
    ['infos', a.infos?.toSorted(), b.infos?.toSorted()],
    ['result type', a.data?.resultType, b.data?.resultType],
  ] as const) {
    if (JSON.stringify(x) !== JSON.stringify(y)) return `${what}: ${JSON.stringify(x)}, theirs ${JSON.stringify(y)}`;
  }
  if (a.data === undefined || b.data === undefined) return undefined;
  if (a.data.resultType === 'scalar' || a.data.resultType === 'string') {
    return pointDifference(a.data.result as Point, b.data.result as Point);
  }
  return seriesDifference(a.data.result as Sample[], b.data.result as Sample[], ordered);
}

function seriesDifference(ours: readonly Sample[], theirs: readonly Sample[], ordered: boolean): string | undefined {
  const [a, b] = [ours, theirs].map((list) => new Map(list.map((sample) => [keyOf(sample.metric), sample])));
  if (a!.size !== ours.length) return 'the same series twice';
  const [keysA, keysB] = [a, b].map((map) => (ordered ? [...map!.keys()] : [...map!.keys()].sort()));
  if (keysA!.join('\n') !== keysB!.join('\n')) return `series: ${keysA!.join(' ')}, theirs ${keysB!.join(' ')}`;
  for (const [key, sample] of a!) {
    const [pointsA, pointsB] = [sample, b!.get(key)!].map(({ value, values }) => values ?? [value!]);
    if (pointsA!.length !== pointsB!.length) return `${key}: ${pointsA!.length} points, theirs ${pointsB!.length}`;
    for (const [i, point] of pointsA!.entries()) {
      const difference = pointDifference(point, pointsB![i]!);
      if (difference !== undefined) return `${key}: ${difference}`;
    }
  }
  return undefined;
}

function pointDifference(ours: Point, theirs: Point): string | undefined {
  const same = ours[0] === theirs[0] && (ours[1] === theirs[1] || isClose(ours[1], theirs[1]));
  return same ? undefined : `${JSON.stringify(ours)}, theirs ${JSON.stringify(theirs)}`;
}

/** What is not finite, and zeros with their sign, must be spelled alike. */
function isClose(a: string, b: string): boolean {
  const [x, y] = [Number(a), Number(b)];
  if (!Number.isFinite(x) || !Number.isFinite(y) || x === 0 || y === 0) return false;
  return Math.abs(x - y) <= TOLERANCE * Math.max(Math.abs(x), Math.abs(y));
}
