import { stringify } from 'yaml';
import { formatDuration } from '../model/index.ts';
import type { ConfigDraft } from './types.ts';

/** Fields that hold milliseconds once parsed. In no section does one of these names mean anything else. */
const DURATION_FIELDS: ReadonlySet<string> = new Set([
  'scrape_interval',
  'scrape_timeout',
  'evaluation_interval',
  'rule_query_offset',
  'refresh_interval',
  'remote_timeout',
  'batch_send_deadline',
  'min_backoff',
  'max_backoff',
  'sample_age_limit',
  'send_interval',
  'timeout',
  'time',
  'out_of_order_time_window',
]);

/** Fields that hold bytes once parsed. */
const SIZE_FIELDS: ReadonlySet<string> = new Set(['body_size_limit', 'size']);

/** Fields whose text must not be shown, whatever section they are in. */
const SECRET_FIELD =
  /(?:^|_)(?:password|secret|secrets|secret_key|credentials|token|key|api_key|proxy_connect_header)$/;
const URL_PASSWORD = /^([a-z][a-z0-9+.-]*:\/\/[^/?#@:]*):[^/?#@]*@/i;

export interface SerializeOptions {
  /** Writes `<secret>` for passwords, tokens and keys, as Prometheus's configuration page does. */
  readonly redact?: boolean;
}

/** See `serializeConfig` in index.ts. */
export function serialize(config: ConfigDraft, options: SerializeOptions): string {
  // YAML 1.1 quotes what Go's parser would otherwise take for a boolean, a number or a date.
  return stringify(toYaml(config, '', options.redact ?? false), {
    version: '1.1',
    lineWidth: 0,
    aliasDuplicateObjects: false,
  });
}

function toYaml(value: unknown, field: string, redact: boolean): unknown {
  if (typeof value === 'number') {
    if (DURATION_FIELDS.has(field)) return formatDuration(value);
    return SIZE_FIELDS.has(field) ? `${value}B` : value;
  }
  if (typeof value === 'string') return redact ? redactText(value, field) : value;
  if (Array.isArray(value)) return value.map((item) => toYaml(item, field, redact));
  if (typeof value !== 'object' || value === null) return value;
  const out = Object.create(null) as Record<string, unknown>;
  for (const [name, item] of Object.entries(value)) {
    if (item === undefined || isEmpty(item)) continue;
    const inherits = field === 'proxy_connect_header';
    out[name] = toYaml(item, inherits ? field : name, redact);
  }
  return out;
}

/** Empty lists and mappings mean the same as leaving them out. */
function isEmpty(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0;
}

function redactText(value: string, field: string): string {
  if (SECRET_FIELD.test(field)) return value === '' ? value : '<secret>';
  return value.replace(URL_PASSWORD, '$1:xxxxx@');
}
