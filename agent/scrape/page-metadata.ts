import { LRUCache } from 'lru-cache';
import type { Metadata } from '../../lib/storage/index.ts';
import { MAX_METADATA_LENGTH, MAX_METRICS_WITH_METADATA, MAX_SHARED_TEXTS } from './limits.ts';

/** Targets of a kind say the same of the same metrics: their texts are held once. */
const shared = new LRUCache<string, string>({ max: MAX_SHARED_TEXTS });

function share(text: string): string {
  const known = shared.get(text);
  if (known !== undefined) return known;
  shared.set(text, text);
  return text;
}

const NOTHING: Metadata = { type: 'unknown', unit: '', help: '' };

/** What a target's pages say of their metrics, for as long as it is scraped; the last word counts. */
export class PageMetadata {
  readonly #byMetric = new Map<string, Metadata>();

  setType(metric: string, type: string): void {
    this.#set(metric, { type: type === 'untyped' ? 'unknown' : share(type) });
  }

  setHelp(metric: string, help: string): void {
    this.#set(metric, { help: share(help.slice(0, MAX_METADATA_LENGTH)) });
  }

  list(): (Metadata & { readonly name: string })[] {
    return Array.from(this.#byMetric, ([name, metadata]) => ({ name, ...metadata }));
  }

  #set(metric: string, said: Partial<Metadata>): void {
    const known = this.#byMetric.get(metric);
    // Pages that name other metrics every time must not grow it without end.
    if (known === undefined && this.#byMetric.size >= MAX_METRICS_WITH_METADATA) return;
    this.#byMetric.set(share(metric), { ...(known ?? NOTHING), ...said });
  }
}
