import { type Random, seededRandom } from '../../../lib/env/index.ts';
import { FUNCTION_SIGNATURES } from '../../../lib/promql/parse/signatures.ts';
import { type AskedQuery } from '../../tools/query-twins.ts';
import { DURATION_MS, START_MS } from './data.ts';
import { type Kind, type Node, type Part, pick } from './node.ts';

export interface GeneratedQuery {
  readonly node: Node;
  readonly times: Omit<AskedQuery, 'query'>;
}

/** The query of a seed: the same for ever, as long as nobody changes this file. */
export function generateQuery(seed: number): GeneratedQuery {
  const random = seededRandom(seed * 2654435761);
  const generator = new Generator(random);
  const isInstant = random() < 0.5;
  const kind = pickKind(random, isInstant);
  const node = generator.node(kind, 1 + Math.floor(random() * 5));
  // From a little before the first sample to a little behind the last; not always on whole seconds.
  const startMs = START_MS + Math.floor((random() * 1.1 - 0.05) * DURATION_MS);
  if (isInstant) return { node, times: { startMs, endMs: startMs, stepMs: 0 } };
  const stepMs = pick(random, [1_000, 15_000, 15_000, 60_000, 60_000, 61_013, 300_000]);
  return { node, times: { startMs, endMs: startMs + Math.floor(random() * 40) * stepMs, stepMs } };
}

function pickKind(random: Random, isInstant: boolean): Kind {
  const luck = random();
  if (luck < 0.85) return 'vector';
  if (luck < 0.93 || !isInstant) return 'scalar';
  return luck < 0.995 ? 'matrix' : 'string';
}

const FLOAT_METRICS = (
  'requests_total requests_total errors_total temperature temperature cpu_seconds_total build_info odd odd spotty ' +
  'spotty latency_seconds_bucket latency_seconds_count target_info {"dotted.name"}'
).split(' ');
const HISTOGRAM_METRICS = ['native', 'native', 'native_gauge', 'custom', 'mixed'];
const LABELS = ['job', 'instance', 'code', 'zone', 'le', 'version', 'i', 'cluster', '"label.dot"', 'missing'];
const MATCHERS = ['job="api"', 'job!="api"', 'instance=~"a.*"', 'instance!~"a.*|c"', 'missing=""', 'job=~".+"'];
const RARE_MATCHERS = ['job="none"', 'missing!=""', 'instance=~"("', 'i!~"[01]"', '__name__!="odd"', 'job="api", job="db"'];
/** For labels that only this metric has. */
const OWN_MATCHERS: Readonly<Record<string, readonly string[]>> = {
  requests_total: ['code="200"', 'code=~"4..|500"', 'code!="404"'],
  temperature: ['zone="x"', 'zone!~"x|z"'],
  latency_seconds_bucket: ['le="+Inf"', 'le=~"0.*"'],
  odd: ['i!~"[01]"', 'i="2"'],
  build_info: ['version="1.0"'],
  target_info: ['cluster="west"', '"service.name"="db"'],
};
const RANGES = ['15s', '30s', '1m', '2m', '5m', '5m', '10m', '25m', '1h', '1m30s', '100ms', '47s'];
const NUMBERS = ['0', '1', '2', '0.5', '-1', '3.7', '10', '100', '1e3', '0x1F', 'Inf', '-Inf', 'NaN', '.5', '1_000', '5m'];
const ARITHMETIC = ['+', '-', '*', '/', '%', '^', 'atan2'];
const COMPARISONS = ['==', '!=', '<', '>', '<=', '>='];
const SETS = ['and', 'or', 'unless'];
const HISTOGRAM_OPERATORS = ['</', '>/'];
const AGGREGATORS = ['sum', 'sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar'];
/** What takes labels, strings or times is written out below. */
const SPECIAL = ['label_replace', 'label_join', 'sort_by_label', 'sort_by_label_desc', 'info', 'histogram_quantiles'];
const VECTOR_FUNCTIONS = [...FUNCTION_SIGNATURES.values()].filter(
  // Start times are not in these blocks.
  ({ name, returns }) => returns === 'vector' && !SPECIAL.includes(name) && name !== 'start_timestamp',
);
const RANGE_FUNCTIONS = VECTOR_FUNCTIONS.filter(({ args }) => args.includes('matrix'));
const INSTANT_FUNCTIONS = VECTOR_FUNCTIONS.filter(({ args }) => args.includes('vector'));
const SCALAR_FUNCTIONS = ['time()', 'pi()', 'start()', 'end()', 'range()', 'step()'];

/** Expressions by their type; most make sense, some are errors. */
class Generator {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  node(kind: Kind, depth: number): Node {
    switch (kind) {
      case 'scalar':
        return this.#scalar(depth);
      case 'matrix':
        return this.#matrix(depth);
      case 'string':
        return of('string', this.#one(['"text"', "'it''s'", '`raw\\n`', '"\\u00fc\\n"']));
      case 'vector':
        return this.#vector(depth);
    }
  }

  #scalar(depth: number): Node {
    const inner = (): Node => this.#scalar(depth - 1);
    if (depth <= 0 || this.#chance(0.4)) return of('scalar', this.#one(NUMBERS));
    return this.#either<Node>([
      [2, () => of('scalar', this.#one(SCALAR_FUNCTIONS))],
      [3, () => of('scalar', 'scalar(', this.#vector(depth - 1), ')')],
      [3, () => of('scalar', inner(), ` ${this.#one(ARITHMETIC)} `, inner())],
      [1, () => of('scalar', inner(), ` ${this.#one(COMPARISONS)} ${this.#chance(0.9) ? 'bool ' : ''}`, inner())],
      [1, () => of('scalar', this.#one(['-', '+']), inner())],
      [1, () => of('scalar', '(', inner(), ')')],
      [1, () => of('scalar', this.#one(['max_of(', 'min_of(']), inner(), ', ', inner(), ')')],
    ]);
  }

  #vector(depth: number): Node {
    if (depth <= 0) return this.#selector();
    const inner = (): Node => this.#vector(depth - 1);
    return this.#either<Node>([
      [4, () => this.#selector()],
      [7, () => this.#call(this.#one(RANGE_FUNCTIONS), depth)],
      [5, () => this.#call(this.#one(INSTANT_FUNCTIONS), depth)],
      [7, () => this.#aggregation(depth)],
      [6, () => this.#vectorBinary(depth)],
      [3, () => this.#scalarBinary(depth)],
      [2, () => this.#classicQuantile()],
      [2, () => this.#labelFunction(depth)],
      [1, () => this.#info(depth)],
      [1, () => of('vector', this.#one(['-', '+']), inner())],
      [1, () => of('vector', '(', inner(), ')')],
      [1, () => of('vector', 'vector(', this.#scalar(depth - 1), ')')],
    ]);
  }

  #selector(): Node {
    const isHistogram = this.#chance(0.25);
    const name = this.#chance(0.01) ? 'nothing' : this.#one(isHistogram ? HISTOGRAM_METRICS : FLOAT_METRICS);
    const own = [...MATCHERS, ...(OWN_MATCHERS[name] ?? []), ...(OWN_MATCHERS[name] ?? [])];
    const matchers = this.#some(this.#chance(0.03) ? RARE_MATCHERS : own, this.#one([0, 0, 0, 1, 1, 2]));
    let text = name;
    if (this.#chance(0.04)) text = `{__name__=~"${this.#one(['requests.*|errors.*', 'native.*', 'latency_seconds_.+', '.+_total'])}"`;
    const quoted = text.startsWith('{');
    const list = matchers.join(', ');
    const braces = list === '' ? (quoted && !text.endsWith('}') ? '}' : '') : quoted ? `, ${list}}` : `{${list}}`;
    const open = quoted && list !== '' ? text.replace(/\}$/, '') : text;
    return of('vector', open + braces, ...this.#extension(0.1), ...this.#modifiers());
  }

  /** `offset` and `@`. */
  #modifiers(): Part[] {
    const parts: Part[] = [];
    if (this.#chance(0.12)) parts.push({ optional: ` offset ${this.#duration(true)}` });
    if (this.#chance(0.1)) {
      const time = ((START_MS + this.#random() * DURATION_MS) / 1000).toFixed(this.#one([0, 3]));
      const at = { optional: ` @ ${this.#one(['start()', 'end()', time, time])}` };
      if (this.#chance(0.5)) parts.push(at);
      else parts.unshift(at);
    }
    return parts;
  }

  #extension(chance: number): Part[] {
    return this.#chance(chance) ? [{ optional: this.#one([' anchored', ' smoothed']) }] : [];
  }

  #duration(maybeNegative = false): string {
    const plain = this.#one(RANGES);
    if (maybeNegative && this.#chance(0.3)) return `-${plain}`;
    if (this.#chance(0.9)) return plain;
    return this.#one([`(${plain} * 2)`, 'step()', '(1m + step())', 'range()', `max_of(${plain}, step())`, '90', '(2 ^ 6)']);
  }

  #matrix(depth: number): Node {
    if (depth <= 1 || this.#chance(0.7)) {
      const { parts } = this.#selector();
      const plain = parts.filter((part) => typeof part === 'string');
      return of('matrix', ...plain, `[${this.#duration()}]`, ...this.#extension(0.12), ...this.#modifiers());
    }
    const inner = this.#vector(depth - 1);
    const resolution = this.#one(['', '15s', '1m', '37s', '5m']);
    return of('matrix', '(', inner, `)[${this.#one(RANGES)}:${resolution}]`, ...this.#modifiers());
  }

  #call({ name, args, variadic }: (typeof VECTOR_FUNCTIONS)[number], depth: number): Node {
    const parts: Part[] = [`${name}(`];
    const count = variadic !== 0 && this.#chance(0.4) ? args.length - 1 : args.length;
    for (let i = 0; i < count; i++) {
      if (i > 0) parts.push(', ');
      const wanted = args[i]!;
      // Parameters between 0 and 1 are the ones that mean something to most.
      if (wanted === 'scalar' && this.#chance(0.6)) parts.push(this.#one(['0.5', '0.9', '0.25', '1', '0']));
      else parts.push(this.#argument(wanted, name, depth - 1));
    }
    return of('vector', ...parts, ')');
  }

  #argument(kind: Kind, name: string, depth: number): Node {
    const wantsHistogram = name.startsWith('histogram_') && kind === 'vector' && this.#chance(0.8);
    if (!wantsHistogram) return this.node(kind, depth);
    const metric = this.#one(HISTOGRAM_METRICS);
    return this.#either<Node>([
      [2, () => of('vector', metric)],
      [2, () => of('vector', `rate(${metric}[${this.#one(RANGES)}])`)],
      [2, () => of('vector', `sum by (job) (rate(${metric}[5m]))`)],
      [1, () => this.node(kind, depth)],
    ]);
  }

  #aggregation(depth: number): Node {
    const labels = `${this.#one(['by', 'without'])} (${this.#some(LABELS, this.#one([0, 1, 1, 2])).join(', ')}) `;
    const grouping: Part = { optional: this.#chance(0.65) ? labels : '' };
    const inner = this.#vector(depth - 1);
    const small = (): Part => (this.#chance(0.7) ? this.#one(['1', '2', '3', '10']) : this.#scalar(1));
    const ratio = (): Part => (this.#chance(0.7) ? this.#one(['0.5', '0.9', '-0.3', '1', '0.1']) : this.#scalar(1));
    const [name, parameter] = this.#either<readonly [string, Part?]>([
      [9, () => [this.#one(AGGREGATORS)]],
      [3, () => [this.#one(['topk', 'bottomk']), small()]],
      [1, () => ['quantile', ratio()]],
      [1, () => ['count_values', this.#one(['"value"', '"job"', '"a b"'])]],
      [1, () => ['limitk', small()]],
      [1, () => ['limit_ratio', ratio()]],
    ]);
    // The last bits of a number are not for a label.
    const input = name === 'count_values' ? ['round(', inner, ', 0.01)'] : [inner];
    return of('vector', `${name} `, grouping, '(', ...(parameter === undefined ? [] : [parameter, ', ']), ...input, ')');
  }

  #vectorBinary(depth: number): Node {
    const isSet = this.#chance(0.25);
    const operator = isSet ? this.#one(SETS) : this.#one(this.#chance(0.6) ? ARITHMETIC : COMPARISONS);
    const bool: Part = { optional: COMPARISONS.includes(operator) && this.#chance(0.4) ? ' bool' : '' };
    const [left, right] = this.#operands(depth);
    return of('vector', ...left, ` ${operator}`, bool, ...this.#matching(isSet), ' ', ...right);
  }

  /** Both sides: alike, joined to an info series, or anything. */
  #operands(depth: number): [Part[], Part[]] {
    const inner = this.#vector(depth - 1);
    return this.#either<[Part[], Part[]]>([
      [3, () => [this.#side(inner), this.#side(this.#vector(depth - 1))]],
      [2, () => [this.#side(inner), this.#side(inner)]],
      [2, () => [this.#side(inner), [of('vector', this.#one(['build_info', 'target_info', 'errors_total', 'native']))]]],
      [1, () => [[of('vector', 'requests_total')], [of('vector', 'sum without (code) (requests_total)')]]],
      [1, () => [['sum by (job) (', of('vector', 'native'), ')'], ['sum by (job) (', inner, ')']]],
    ]);
  }

  #side(node: Node): Part[] {
    return this.#chance(0.2) ? [node] : ['(', node, ')'];
  }

  #matching(isSet: boolean): Part[] {
    if (this.#chance(0.35)) return [];
    const word = this.#one(['on', 'on', 'ignoring']);
    const labels = word === 'on' ? this.#one(['job, instance', 'instance', 'job', '']) : this.#one(['code', 'zone, version', 'le', '']);
    let text = ` ${word} (${labels})`;
    if (!isSet && this.#chance(0.55)) {
      const extra = this.#one(['()', '', '(version)', '(cluster)', '(zone)', '(job)', '(missing, version)']);
      text += ` ${this.#one(['group_left', 'group_left', 'group_right'])} ${extra}`;
    }
    const fill = this.#chance(0.1) && !isSet ? this.#one([' fill (0)', ' fill_left (1)', ' fill_right (NaN)', ' fill_left (0) fill_right (2)']) : '';
    return [{ optional: text }, { optional: fill }];
  }

  #scalarBinary(depth: number): Node {
    const operator = this.#one(
      this.#chance(0.1) ? HISTOGRAM_OPERATORS : this.#chance(0.6) ? ARITHMETIC : COMPARISONS,
    );
    const bool: Part = { optional: COMPARISONS.includes(operator) && this.#chance(0.4) ? 'bool ' : '' };
    const sides = [this.#side(this.#vector(depth - 1)), [this.#scalar(depth - 2)]];
    if (this.#chance(0.35)) sides.reverse();
    return of('vector', ...sides[0]!, ` ${operator} `, bool, ...sides[1]!);
  }

  #classicQuantile(): Node {
    const by = this.#one(['sum by (le) ', 'sum by (le, job) ', 'sum without (instance) ', '']);
    const buckets = this.#one(['rate(latency_seconds_bucket[5m])', 'latency_seconds_bucket', '{__name__=~"latency.*"}']);
    const input = of('vector', `${by}(${buckets})`);
    return this.#either<Node>([
      [4, () => of('vector', `histogram_quantile(${this.#one(['0.5', '0.9', '0', '1', '-1', '2', 'NaN'])}, `, input, ')')],
      [2, () => of('vector', `histogram_fraction(${this.#one(['0, 0.5', '0.2, 0.7', '-Inf, Inf', '1, 0'])}, `, input, ')')],
      [1, () => of('vector', 'histogram_quantiles(', input, ', "q", 0.5, 0.9)')],
      [1, () => of('vector', `histogram_quantiles(${this.#one(HISTOGRAM_METRICS)}, "q", 0.1, `, this.#scalar(1), ')')],
    ]);
  }

  #labelFunction(depth: number): Node {
    const inner = this.#vector(depth - 1);
    const replacement = this.#one(['"$1"', '"x-${1}"', '""', '"$1$2"', '"$$"', '"é"']);
    const source = this.#one(['"instance"', '"job"', '"missing"', '"__name__"', '"code"']);
    const target = this.#one(['"new"', '"job"', '"__name__"', '"a b"', '"instance"', '""']);
    const pattern = this.#one(['"(.*):.*"', '"(.*)"', '"a(.*)"', '"(?P<x>.).*"', '"("', '""']);
    return this.#either<Node>([
      [4, () => of('vector', 'label_replace(', inner, `, ${target}, ${replacement}, ${source}, ${pattern})`)],
      [2, () => of('vector', 'label_join(', inner, `, ${target}, "-", ${source}, "job")`)],
      [1, () => of('vector', 'label_join(', inner, `, ${target}, "")`)],
      [1, () => of('vector', this.#one(['sort_by_label(', 'sort_by_label_desc(']), inner, `, "instance", ${source})`)],
    ]);
  }

  #info(depth: number): Node {
    const selector = this.#one(['', ', {cluster="east"}', ', {cluster=~".+"}', ', {__name__="build_info"}', ', {nope="1"}']);
    return of('vector', 'info(', this.#vector(depth - 1), `${selector})`);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #one<T>(list: readonly T[]): T {
    return pick(this.#random, list);
  }

  #some<T>(list: readonly T[], count: number): T[] {
    return [...new Set(Array.from({ length: count }, () => this.#one(list)))];
  }

  #either<T>(choices: readonly (readonly [weight: number, make: () => T])[]): T {
    let rest = this.#random() * choices.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, make] of choices) if ((rest -= weight) < 0) return make();
    return choices[0]![1]();
  }
}

function of(kind: Kind, ...parts: Part[]): Node {
  return { kind, parts: parts.filter((part) => typeof part === 'string' || !('optional' in part) || part.optional !== '') };
}
