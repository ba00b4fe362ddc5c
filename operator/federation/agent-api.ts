import { type Annotations, type Matcher, PromletError, shorten } from '../../lib/model/index.ts';
import type { MemoryBudget } from '../../lib/promql/index.ts';
import type { HttpTransport } from '../../lib/remote/index.ts';
import type { Agent } from './directory.ts';
import type { FederationLimits } from './limits.ts';

/** What a JSON question may be narrowed by. */
export interface Selection {
  readonly startMs: number;
  readonly endMs: number;
  readonly matchers: readonly Matcher[];
  readonly limit: number | undefined;
}

/** How agents are asked. */
export interface AgentClient {
  readonly transport: HttpTransport;
  readonly limits: FederationLimits;
  /** Of the request that asks. */
  readonly budget: MemoryBudget;
}

/** What a byte of JSON takes beside the objects made of it: the pieces, all of them together, and the text. */
const JSON_COPIES = 3;

/** Times further away are "no bound" and are left out. */
const MAX_DATE_MS = 8.64e15;

/** @returns `?start=…&end=…&match[]=…&limit=…` */
export function selectionParameters({ startMs, endMs, matchers, limit }: Selection): string {
  const parameters = new URLSearchParams();
  if (Math.abs(startMs) < MAX_DATE_MS) parameters.set('start', String(startMs / 1000));
  if (Math.abs(endMs) < MAX_DATE_MS) parameters.set('end', String(endMs / 1000));
  if (matchers.length > 0) parameters.append('match[]', `{${matchers.map(String).join(',')}}`);
  if (limit !== undefined && limit > 0) parameters.set('limit', String(limit));
  return `?${parameters.toString()}`;
}

/**
 * `data` of an agent's answer to GET `path`; its warnings go to `annotations`, named by node. It is held in the memory of the
 * request until that is done.
 * @throws PromletError `federation/bad-answer`, and as `MemoryBudget.hold`
 */
export async function getJson(
  { transport, limits: { maxJsonBytes }, budget }: AgentClient,
  agent: Agent,
  path: string,
  annotations: Annotations,
  signal: AbortSignal,
): Promise<unknown> {
  const answer = await transport.request({
    method: 'GET',
    url: agent.url + path,
    headers: { Accept: 'application/json', 'User-Agent': 'promlet' },
    signal,
  });
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of answer.body) {
    length += piece.length;
    if (length > maxJsonBytes) throw bad(path, `more than ${maxJsonBytes} bytes`);
    budget.hold(JSON_COPIES * piece.length);
    pieces.push(piece);
  }
  const text = Buffer.concat(pieces).toString('utf8');
  const envelope = parseEnvelope(text);
  if (envelope?.status === 'success') {
    for (const warning of strings(envelope.warnings ?? [], path)) annotations.warn(`node "${agent.node}": ${warning}`);
    for (const info of strings(envelope.infos ?? [], path)) annotations.info(info);
    return envelope.data;
  }
  const message = typeof envelope?.error === 'string' ? envelope.error : text.trim();
  throw bad(path, `HTTP status ${answer.status}: ${shorten(message, 300)}`);
}

/** @throws PromletError `federation/bad-answer` when `data` is not an array of strings */
export function strings(data: unknown, path: string): readonly string[] {
  if (!Array.isArray(data) || !data.every((item) => typeof item === 'string')) {
    throw bad(path, 'not an array of strings');
  }
  return data;
}

/** @throws PromletError `federation/bad-answer` when `data` is not an array of objects */
export function objects(data: unknown, path: string): readonly Readonly<Record<string, unknown>>[] {
  if (!Array.isArray(data) || !data.every(isObject)) throw bad(path, 'not an array of objects');
  return data;
}

export function isObject(data: unknown): data is Readonly<Record<string, unknown>> {
  return typeof data === 'object' && data !== null && !Array.isArray(data);
}

export function bad(path: string, problem: string): PromletError {
  return new PromletError('federation/bad-answer', `${path.replace(/\?.*/, '')}: ${problem}`);
}

function parseEnvelope(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const envelope: unknown = JSON.parse(text);
    return isObject(envelope) ? envelope : undefined;
  } catch {
    // Not JSON: the caller reports the status and the text itself.
    return undefined;
  }
}

/**
 * A label name in a path: names of the legacy syntax as they are, others with Prometheus's value encoding (`U__`, each
 * character outside [a-zA-Z0-9_:] as `_hex_`, `_` doubled; model.EscapeName).
 */
export function labelNameInPath(name: string): string {
  if (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) && !name.startsWith('U__')) return name;
  let out = 'U__';
  for (const char of name) {
    if (char === '_') out += '__';
    else if (/[a-zA-Z0-9:]/.test(char)) out += char;
    else out += `_${char.codePointAt(0)!.toString(16)}_`;
  }
  return out;
}
