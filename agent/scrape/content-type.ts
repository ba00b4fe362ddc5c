import type { ScrapeProtocol } from '../../lib/config/index.ts';
import { PromletError, shorten } from '../../lib/model/index.ts';

/** What can be parsed so far, with the media type as Prometheus asks for it. */
const PARSED: ReadonlyMap<ScrapeProtocol, string> = new Map([
  ['PrometheusText1.0.0', 'text/plain;version=1.0.0;escaping=allow-utf-8'],
  ['PrometheusText0.0.4', 'text/plain;version=0.0.4'],
]);

/** The Accept header: the job's protocols that can be parsed, in its order (Prometheus `acceptHeader`). */
export function acceptHeader(protocols: readonly ScrapeProtocol[], escapingScheme: string): string {
  const wanted = protocols.filter((protocol) => PARSED.has(protocol));
  if (wanted.length === 0) wanted.push('PrometheusText0.0.4');
  let weight = 7;
  const values = wanted.map((protocol) => {
    const value = PARSED.get(protocol)!.replace('allow-utf-8', escapingScheme || 'allow-utf-8');
    return `${value};q=0.${--weight}`;
  });
  return [...values, `*/*;q=0.${weight - 1}`].join(',');
}

/**
 * Checks that the text parser is the one for an answer (Prometheus `extractMediaType`).
 * @throws PromletError `scrape/content-type`
 */
export function checkContentType(contentType: string | undefined, fallback: ScrapeProtocol | undefined): void {
  if (fallback !== undefined && PARSED.has(fallback) && !isKnown(contentType)) return;
  if (contentType === undefined || contentType === '') {
    throw new PromletError(
      'scrape/content-type',
      'non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target',
    );
  }
  if (mediaType(contentType) !== 'text/plain') {
    throw new PromletError(
      'scrape/content-type',
      `received unsupported Content-Type "${shorten(contentType)}" and no fallback_scrape_protocol specified for target`,
    );
  }
}

function isKnown(contentType: string | undefined): boolean {
  const type = mediaType(contentType ?? '');
  return type === 'text/plain' || type === 'application/openmetrics-text' || type.endsWith('google.protobuf');
}

function mediaType(contentType: string): string {
  return contentType.split(';')[0]!.trim().toLowerCase();
}
