export type ValueType = 'scalar' | 'vector' | 'matrix' | 'string';

/** What the parser knows of a function (Prometheus `promql/parser/functions.go`). */
export interface FunctionSignature {
  readonly name: string;
  readonly args: readonly ValueType[];
  /** 0: exactly `args`; n: the last type may be left out or repeated up to n times; -1: any number of times. */
  readonly variadic: number;
  readonly returns: ValueType;
  /** Needs the feature `experimentalFunctions`. */
  readonly experimental: boolean;
}

const TYPES: Readonly<Record<string, ValueType>> = { v: 'vector', m: 'matrix', s: 'scalar', t: 'string' };

/** `names: argument letters > return letter [variadic] [!]`; v vector, m matrix, s scalar, t string, ! experimental. */
const TABLE = `
abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor ln log10 log2 rad sgn sin sinh sqrt tan tanh: v>v
histogram_avg histogram_count histogram_sum histogram_stddev histogram_stdvar sort sort_desc timestamp: v>v
absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta increase irate: m>v
last_over_time max_over_time min_over_time present_over_time rate resets stddev_over_time stdvar_over_time: m>v
sum_over_time: m>v
mad_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time: m>v !
clamp: vss>v
clamp_max clamp_min: vs>v
days_in_month day_of_month day_of_week day_of_year hour minute month year: v>v 1
double_exponential_smoothing: mss>v !
end range start step: >s !
histogram_fraction: ssv>v
histogram_quantile: sv>v
histogram_quantiles: vtss>v 9 !
info: vv>v 1 !
label_join: vttt>v -1
label_replace: vtttt>v
max_of min_of: ss>s !
pi time: >s
predict_linear: ms>v
quantile_over_time: sm>v
round: vs>v 1
scalar: v>s
sort_by_label sort_by_label_desc: vt>v -1 !
start_timestamp: v>v !
vector: s>v
`;

function readTable(table: string): Map<string, FunctionSignature> {
  const signatures = new Map<string, FunctionSignature>();
  for (const line of table.trim().split('\n')) {
    const [names = '', shape = ''] = line.split(':');
    const [types = '', ...flags] = shape.trim().split(' ');
    const [args = '', returns = ''] = types.split('>');
    for (const name of names.split(' ')) {
      signatures.set(name, {
        name,
        args: Array.from(args, (letter) => TYPES[letter]!),
        variadic: Number(flags.find((flag) => flag !== '!') ?? 0),
        returns: TYPES[returns]!,
        experimental: flags.includes('!'),
      });
    }
  }
  return signatures;
}

export const FUNCTION_SIGNATURES: ReadonlyMap<string, FunctionSignature> = readTable(TABLE);
