/** How names that the old syntax does not allow are written (`escaping` of an Accept header, `model.EscapingScheme`). */
export type Escaping = 'allow-utf-8' | 'underscores' | 'dots' | 'values';

const ESCAPINGS: ReadonlySet<string> = new Set<Escaping>(['allow-utf-8', 'underscores', 'dots', 'values']);
const LEGACY_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/** The text format 0.0.4 with the escaping that an Accept header asks for. */
export function negotiateText(accept: string): { readonly contentType: string; readonly escaping: Escaping } {
  const asked = /;\s*escaping=([a-z0-9-]+)/.exec(accept)?.[1] ?? '';
  const escaping = ESCAPINGS.has(asked) ? (asked as Escaping) : 'underscores';
  return { contentType: `text/plain; version=0.0.4; charset=utf-8; escaping=${escaping}`, escaping };
}

/** True for what may stand without quotes. */
export function isLegacyName(name: string): boolean {
  return LEGACY_NAME.test(name);
}

/** Prometheus's `model.EscapeName`, of names that need it only, as in `EscapeMetricFamily`. */
export function escapeName(name: string, escaping: Escaping): string {
  if (escaping === 'allow-utf-8' || isLegacyName(name)) return name;
  let out = escaping === 'values' ? 'U__' : '';
  let first = true;
  for (const char of name) {
    const isPlain = /[a-zA-Z_:]/.test(char) || (!first && /[0-9]/.test(char));
    first = false;
    if (escaping === 'underscores') out += isPlain ? char : '_';
    else if (char === '_') out += '__';
    else if (isPlain) out += char;
    else if (escaping === 'dots') out += char === '.' ? '_dot_' : '__';
    else out += `_${char.codePointAt(0)!.toString(16)}_`;
  }
  return out;
}
