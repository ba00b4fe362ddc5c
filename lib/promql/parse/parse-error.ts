import { PromletError } from '../../model/index.ts';
import type { SourceRange } from './ast.ts';

/** A query that is not PromQL; the message starts with `line:column: parse error:`, as Prometheus's does. */
export class ParseError extends PromletError {
  readonly start: number;
  readonly end: number;

  constructor(query: string, at: SourceRange, reason: string) {
    super('promql/parse', `${positionOf(query, at.start)}: parse error: ${reason}`);
    this.start = at.start;
    this.end = at.end;
  }
}

/** `line:column` of an offset, both from 1; the column counts UTF-8 bytes (Prometheus `posrange.StartPosInput`). */
export function positionOf(query: string, offset: number): string {
  if (query === '') return 'unknown position';
  const before = query.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  const line = before.split('\n').length;
  return `${line}:${Buffer.byteLength(before.slice(lineStart)) + 1}`;
}
