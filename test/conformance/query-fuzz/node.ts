import type { Random } from '../../../lib/env/index.ts';

export type Kind = 'scalar' | 'vector' | 'matrix' | 'string';

/** A generated expression: text and expressions in turn; what is `optional` may be left out. */
export interface Node {
  readonly kind: Kind;
  readonly parts: readonly Part[];
}

export interface Optional {
  readonly optional: string;
}

export type Part = string | Node | Optional;

export function printNode({ parts }: Node): string {
  return parts
    .map((part) => (typeof part === 'string' ? part : 'optional' in part ? part.optional : printNode(part)))
    .join('');
}

/** What a node is replaced by when none of its own parts will do. */
const LEAVES: Readonly<Record<Kind, readonly string[]>> = {
  scalar: ['1'],
  vector: ['temperature', 'native', 'vector(1)'],
  matrix: ['temperature[5m]', 'native[5m]'],
  string: [],
};

/** Expressions a little smaller than this one, the smallest first. */
export function* smallerNodes(root: Node): Generator<Node> {
  const candidates = [...replacements(root)].map((node) => ({ node, length: printNode(node).length }));
  const length = printNode(root).length;
  candidates.sort((a, b) => a.length - b.length);
  for (const candidate of candidates) if (candidate.length < length) yield candidate.node;
}

function* replacements(node: Node): Generator<Node> {
  for (const inner of descendants(node)) if (inner.kind === node.kind) yield inner;
  for (const leaf of LEAVES[node.kind]) yield { kind: node.kind, parts: [leaf] };
  for (const [i, part] of node.parts.entries()) {
    const replaced = (by: readonly Part[]): Node => ({ ...node, parts: node.parts.toSpliced(i, 1, ...by) });
    if (typeof part === 'string') continue;
    if ('optional' in part) yield replaced([]);
    else for (const smaller of replacements(part)) yield replaced([smaller]);
  }
}

function* descendants({ parts }: Node): Generator<Node> {
  for (const part of parts) {
    if (typeof part === 'string' || 'optional' in part) continue;
    yield part;
    yield* descendants(part);
  }
}

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)]!;
}
