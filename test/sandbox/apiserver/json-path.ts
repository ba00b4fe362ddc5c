import { isObject, type Json, text } from './json.ts';

/**
 * The JSONPath of printer columns: `.a.b`, `[0]`, `[*]`, `['a.b']`, `.a\.b`, `[?(@.type=="Ready")].status`.
 * Returns every match. Source: client-go `util/jsonpath`, the part that CRDs use.
 */
export function jsonPath(object: Json, path: string): Json[] {
  let found: Json[] = [object];
  const step =
    /\.((?:\\.|[^.[\]\\])+)|\['([^']+)'\]|\[(\*|-?\d+)\]|\[\?\(@((?:\.[^=<>!\s)]+)+)\s*(==|!=)\s*["']([^"']*)["']\)\]/gy;
  const trimmed = path.replace(/^\{?\$?/, '').replace(/\}$/, '');
  for (const [, field, quoted, index, filterPath, operator, operand] of trimmed.matchAll(step)) {
    found = found.flatMap((value): Json[] => {
      const name = field?.replaceAll('\\', '') ?? quoted;
      if (name !== undefined && name !== '*') return isObject(value) && value[name] !== undefined ? [value[name]] : [];
      const entries = Array.isArray(value)
        ? value
        : isObject(value)
          ? Object.values(value).filter((v) => v !== undefined)
          : [];
      if (name === '*' || index === '*') return entries;
      if (index !== undefined) return entries.slice(Number(index)).slice(0, 1);
      const isMatch = (entry: Json): boolean => jsonPath(entry, filterPath!).some((one) => text(one) === operand);
      return entries.filter((entry) => isMatch(entry) === (operator === '=='));
    });
  }
  return found;
}
