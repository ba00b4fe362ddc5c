/**
 * The arrows between rooms: who may import whom. Reads the sources as text, so type-only imports count too.
 *
 *     agent ─┐                    ┌─ api, remote, kube, promql, tsdb, config
 *            ├─▶ lib (layers) ────┤
 *     operator ┘                  └─ kernels ─▶ env, storage ─▶ model
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';

/** Room → the rooms it may import. A room not listed may not be imported by, or import, another. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'lib/model': [],
  'lib/env': ['lib/model'],
  'lib/storage': ['lib/model'],
  'lib/kernels': ['lib/model'],
  'lib/config': ['lib/model'],
  'lib/kube': ['lib/model', 'lib/env'],
  'lib/chunk': ['lib/model', 'lib/storage', 'lib/kernels'],
  'lib/tsdb': ['lib/model', 'lib/env', 'lib/storage', 'lib/kernels', 'lib/chunk'],
  'lib/promql': ['lib/model', 'lib/env', 'lib/storage', 'lib/kernels'],
  'lib/remote': ['lib/model', 'lib/env', 'lib/storage', 'lib/kernels', 'lib/chunk'],
  'lib/api': ['lib/model', 'lib/env', 'lib/kernels', 'lib/storage', 'lib/promql', 'lib/config'],
  agent: ['lib/*', 'agent/*'],
  'agent/discovery': ['lib/*'],
  'agent/query': ['lib/*'],
  'agent/scrape': ['lib/*'],
  'agent/remote': ['lib/*'],
  'agent/tsdb': ['lib/*'],
  operator: ['lib/*', 'operator/*'],
  'operator/resources': ['lib/*'],
  'operator/monitors': ['lib/*', 'operator/resources'],
  'operator/publish': ['lib/*', 'operator/resources'],
  'operator/status': ['lib/*', 'operator/resources', 'operator/monitors'],
  'operator/federation': ['lib/*'],
  'operator/app': ['lib/*', 'operator/*'],
  'operator/rules': ['lib/*', 'operator/resources', 'operator/federation'],
};

const IMPORT = /(?:^|\n)\s*(?:import|export)\b[^;'"`]*?\bfrom\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/g;

export interface ArrowReport {
  readonly files: number;
  readonly arrows: number;
  /** What is wrong, one sentence each; empty when all is well. */
  readonly faults: readonly string[];
}

/** Checks every .ts file of agent, operator and lib below `root`. */
export function checkArrows(root: string): ArrowReport {
  const files = ['agent', 'operator', 'lib'].flatMap((dir) => sourceFiles(join(root, dir)));
  const graph = new Map<string, string[]>();
  const faults: string[] = [];
  let arrows = 0;
  for (const file of files) {
    const from = relative(root, file).split(sep).join(posix.sep);
    const targets = importsOf(readFileSync(file, 'utf8')).map((specifier) => posix.join(dirname(from), specifier));
    graph.set(from, targets);
    for (const to of targets) {
      arrows++;
      const fault = faultOf(from, to);
      if (fault !== undefined) faults.push(fault);
    }
  }
  return { files: files.length, arrows, faults: [...faults, ...cyclesOf(graph)] };
}

function sourceFiles(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return entry.name === 'assembly' || entry.name === 'build' ? [] : sourceFiles(path);
    return entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts') ? [path] : [];
  });
}

function importsOf(source: string): string[] {
  const found: string[] = [];
  for (const match of source.matchAll(IMPORT)) {
    const specifier = match[1] ?? match[2]!;
    if (specifier.startsWith('.') && specifier.endsWith('.ts')) found.push(specifier);
  }
  return found;
}

/** `lib/tsdb/head.ts` → `lib/tsdb`; `agent/main.ts` → `agent`; `agent/scrape/x.ts` → `agent/scrape`. */
function roomOf(file: string): string {
  const parts = file.split('/');
  return parts.length <= 2 ? parts[0]! : `${parts[0]}/${parts[1]}`;
}

function faultOf(from: string, to: string): string | undefined {
  const a = roomOf(from);
  const b = roomOf(to);
  if (a === b) return undefined;
  const allowed = ALLOWED[a];
  if (allowed === undefined) return `${from}: the room ${a} is not in the list of arrows`;
  if (!allowed.some((rule) => rule === b || (rule.endsWith('/*') && b.startsWith(rule.slice(0, -1))))) {
    return `${from} imports ${to}: ${a} may not import ${b}`;
  }
  if (!to.endsWith('/index.ts')) return `${from} imports ${to}: another room is imported through its index.ts only`;
  return undefined;
}

/** Cycles between files, each once, as `a → b → a`. */
function cyclesOf(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const state = new Map<string, 'open' | 'done'>();
  const path: string[] = [];
  const cycles: string[] = [];
  const visit = (file: string): void => {
    state.set(file, 'open');
    path.push(file);
    for (const next of graph.get(file) ?? []) {
      if (state.get(next) === 'open') cycles.push(`cycle: ${[...path.slice(path.indexOf(next)), next].join(' → ')}`);
      else if (!state.has(next) && graph.has(next)) visit(next);
    }
    path.pop();
    state.set(file, 'done');
  };
  for (const file of graph.keys()) if (!state.has(file)) visit(file);
  return cycles;
}
