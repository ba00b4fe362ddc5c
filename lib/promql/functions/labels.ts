import { RE2JS } from 're2js';
import { METRIC_NAME } from '../../model/index.ts';
import { type ColumnSeries, type Columns, isLabelName } from '../eval/columns.ts';
import { mergeEqualLabels } from '../eval/combine.ts';
import { executionError, type QueryContext } from '../eval/context.ts';
import { ENTRY_BYTES, labelsBytes } from '../eval/memory.ts';
import { type InstantCall, vectorArgument } from './instant-call.ts';

/** A label that was set by hand stays, also when it is the name. */
function labelled(series: ColumnSeries, name: string, value: string, context: QueryContext): ColumnSeries {
  const dropName = name === METRIC_NAME ? false : series.dropName;
  const labels = series.labels.with(name, value);
  context.takeBytes(2 * ENTRY_BYTES + labelsBytes(labels));
  return { ...series, dropName, labels };
}

/**
 * Checks the string arguments of functions that set labels, before the vector is evaluated.
 * @throws PromletError `promql/execution`
 */
export function checkLabelArguments(name: string, strings: readonly string[]): void {
  const [destination = '', , ...rest] = strings;
  if (name === 'label_replace') compile(rest[1] ?? '');
  else if (name === 'label_join') {
    const invalid = rest.find((source) => !isLabelName(source));
    if (invalid !== undefined) throw executionError(`invalid source label name in label_join(): ${invalid}`);
  } else return;
  if (!isLabelName(destination)) {
    throw executionError(`invalid destination label name in ${name}(): ${destination}`);
  }
}

function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(`^(?s:${pattern})$`);
  } catch {
    throw executionError(`invalid regular expression in label_replace(): ${pattern}`);
  }
}

/**
 * `label_replace(v, dst, replacement, src, regex)`: where the whole source value matches, the destination becomes the
 * replacement with `$1`, `${name}` filled in.
 */
export function labelReplace(call: InstantCall): Columns {
  const [destination = '', replacement = '', source = '', pattern = ''] = call.strings;
  const regex = compile(pattern);
  const series = vectorArgument(call).map((one) => {
    // One label may be long: no pause is possible here.
    call.context.check();
    const matcher = regex.matcher(one.labels.get(source));
    if (!matcher.find()) return one;
    return labelled(one, destination, expand(replacement, matcher, regex), call.context);
  });
  return { type: 'vector', series: mergeEqualLabels(series, call.context) };
}

/** Go's Regexp.Expand: `$name`, `${name}`, `$1`, `$$`; unknown groups are empty, a name is as long as it can be. */
function expand(template: string, matcher: ReturnType<RE2JS['matcher']>, regex: RE2JS): string {
  const names = regex.namedGroups() as Readonly<Record<string, number>>;
  return template.replaceAll(/\$(?:\$|\{(\w+)\}|(\w+))/g, (whole, braced?: string, bare?: string) => {
    const name = braced ?? bare;
    if (name === undefined) return whole === '$$' ? '$' : whole;
    const index = /^\d+$/.test(name) ? Number(name) : names[name];
    if (index === undefined || index > matcher.groupCount()) return '';
    return matcher.group(index) ?? '';
  });
}

/** `label_join(v, dst, separator, src…)` */
export function labelJoin(call: InstantCall): Columns {
  const [destination = '', separator = '', ...sources] = call.strings;
  const series = vectorArgument(call).map((one) => {
    call.context.check();
    const value = sources.map((name) => one.labels.get(name)).join(separator);
    return labelled(one, destination, value, call.context);
  });
  return { type: 'vector', series: mergeEqualLabels(series, call.context) };
}
