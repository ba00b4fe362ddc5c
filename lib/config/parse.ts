/** Text → YAML → schema → configuration, with every problem placed at its line. Loads zod and yaml. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type ParsedNode, visit } from 'yaml';
import type { z } from 'zod';
import { PromletError, shorten } from '../model/index.ts';
import { expandEnvironment, expandVariables } from './environment.ts';
import { ConfigError, type ConfigProblem } from './error.ts';
import { MAX_CONFIG_LENGTH } from './limits.ts';
import { prometheusConfig } from './schema.ts';
import type { ParseOptions, PrometheusConfig } from './types.ts';

/** Aliases may expand a document this much at most; stops "billion laughs". */
const MAX_ALIAS_COUNT = 1_000;

/** See `parseConfig` in index.ts. */
export function parse(text: string, options: ParseOptions): PrometheusConfig {
  if (text.length > MAX_CONFIG_LENGTH) {
    throw new PromletError(
      'config/too-large',
      `configuration of ${text.length} characters, the limit is ${MAX_CONFIG_LENGTH}`,
    );
  }
  const lines = new LineCounter();
  // Plain scalars stay text: the schema knows each field's type, as Go's decoder does, so `job_name: 010` keeps its zero.
  const document = parseDocument(text, {
    schema: 'failsafe',
    customTags: ['null'],
    merge: true,
    lineCounter: lines,
    logLevel: 'error',
  });
  const flaws: ConfigProblem[] = [...document.errors, ...document.warnings].map((flaw) => ({
    line: lines.linePos(flaw.pos[0]).line,
    path: '',
    message: `yaml: ${flaw.message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, '')}`,
  }));
  visit(document, {
    Pair(_, { key }) {
      if (isScalar(key) && typeof key.value === 'string') return;
      flaws.push({ line: lines.linePos(startOf(key as Node)).line, path: '', message: 'yaml: a key must be text' });
    },
  });
  if (flaws.length > 0) throw new ConfigError('config/bad-yaml', flaws);
  const { environment } = options;
  let values = toValues(document.toJS({ maxAliasCount: MAX_ALIAS_COUNT }), environment);
  if (values === null) values = {};
  const result = prometheusConfig.safeParse(values);
  if (result.success) return withExternalLabels(result.data, environment);
  const lineOf = (path: readonly PropertyKey[], key?: string) => {
    const offset = locate(document.contents, path, key);
    return lines.linePos(offset).line;
  };
  throw new ConfigError(
    'config/invalid',
    result.error.issues.flatMap((issue) => problemsOf(issue, lineOf)),
  );
}

type Environment = ParseOptions['environment'];

/** A copy of the plain values with `$(NAME)` expanded. Values only: names of fields and labels are not touched. */
function toValues(value: unknown, environment: Environment): unknown {
  if (typeof value === 'string') return environment === undefined ? value : expandEnvironment(value, environment);
  if (Array.isArray(value)) return value.map((item) => toValues(item, environment));
  if (typeof value !== 'object' || value === null) return value;
  const out = Object.create(null) as Record<string, unknown>;
  for (const [name, item] of Object.entries(value)) out[name] = toValues(item, environment);
  return out;
}

function withExternalLabels(config: PrometheusConfig, environment: Environment): PrometheusConfig {
  if (environment === undefined) return config;
  const external = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(config.global.external_labels)) {
    external[name] = expandVariables(value, environment);
  }
  return { ...config, global: { ...config.global, external_labels: external } };
}

function problemsOf(
  issue: z.core.$ZodIssue,
  lineOf: (path: readonly PropertyKey[], key?: string) => number,
): ConfigProblem[] {
  const path = printPath(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const type = issue.path.findLast((part) => typeof part === 'string') ?? 'config';
    return issue.keys.map((key) => ({
      line: lineOf(issue.path, key),
      path,
      message: `field ${shorten(key)} not found in type ${type}`,
    }));
  }
  const message =
    issue.code === 'invalid_type' ? `expected ${issue.expected === 'array' ? 'a list' : 'a mapping'}` : issue.message;
  return [{ line: lineOf(issue.path), path, message }];
}

/** `scrape_configs[0].relabel_configs[2]` */
function printPath(path: readonly PropertyKey[]): string {
  let out = '';
  for (const part of path) {
    if (typeof part === 'number') out += `[${part}]`;
    else out += out === '' ? String(part) : `.${String(part)}`;
  }
  return out;
}

/** Offset of the innermost node of `path` that exists, or of its key `key`. */
function locate(root: ParsedNode | null, path: readonly PropertyKey[], key?: string): number {
  let node: Node | null | undefined = root;
  let offset = startOf(node);
  for (const part of key === undefined ? path : [...path, key]) {
    if (isAlias(node)) break;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === part);
      if (pair === undefined) break;
      offset = startOf(pair.key as Node);
      node = pair.value as Node | null;
    } else if (isSeq(node) && typeof part === 'number') {
      node = node.items[part] as Node | undefined;
      offset = startOf(node) || offset;
    } else break;
  }
  return offset;
}

function startOf(node: Node | null | undefined): number {
  return node?.range?.[0] ?? 0;
}
