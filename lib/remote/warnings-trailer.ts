import { type Annotations, PromletError, shorten } from '../model/index.ts';

/**
 * Remote read has no place for warnings; Prometheus logs them and drops them. An incomplete answer must say so, hence this
 * HTTP trailer, which other clients ignore: a URI-encoded JSON array of strings.
 */
export const WARNINGS_TRAILER = 'promlet-warnings';

/** Node's parser takes headers of 16 KiB in all. */
const MAX_WARNINGS = 16;
const MAX_WARNING_LENGTH = 200;

/** undefined when there is nothing to warn of. */
export function encodeWarnings(annotations: Annotations): string | undefined {
  const { warnings } = annotations;
  if (warnings.length === 0) return undefined;
  const sent = warnings.slice(0, MAX_WARNINGS).map((warning) => shorten(warning, MAX_WARNING_LENGTH));
  if (warnings.length > MAX_WARNINGS) sent.push(`${warnings.length - MAX_WARNINGS} more warnings`);
  return encodeURIComponent(JSON.stringify(sent));
}

/** Adds what the trailer says to `annotations`. @throws PromletError `remote/bad-answer` */
export function decodeWarnings(text: string | undefined, annotations: Annotations): void {
  if (text === undefined) return;
  let parsed: unknown;
  try {
    parsed = JSON.parse(decodeURIComponent(text));
  } catch (cause) {
    throw new PromletError('remote/bad-answer', `trailer ${WARNINGS_TRAILER}: ${shorten(text)}`, { cause });
  }
  if (!Array.isArray(parsed)) throw new PromletError('remote/bad-answer', `trailer ${WARNINGS_TRAILER}: not an array`);
  for (const warning of parsed) annotations.warn(String(warning));
}
