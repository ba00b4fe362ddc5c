import type { Labels } from '../../../lib/model/index.ts';
import type { Dump } from '../../tools/samples.ts';

/** Stands for "no sample". */
const ABSENT = '';

/** What is known of one sample: one of these texts is right. */
interface Cell {
  allowed: readonly string[];
  /** What else may be right after a power loss within the fsync interval after `changedMs`. */
  before: readonly string[];
  changedMs: number;
  /** It came out of order. */
  late: boolean;
  /** Two samples of one time were taken, one of them out of order: which of them is answered is open for good. */
  contested: boolean;
}

interface ModelSeries {
  readonly labels: Labels;
  readonly cells: Map<number, Cell>;
}

/**
 * What a database must hold: a map of maps. What cannot be known, such as whether a commit survived the kill that came in
 * the midst of it, is open until the next look, and fixed from then on.
 */
export class Model {
  readonly #series = new Map<string, ModelSeries>();
  readonly #fsyncIntervalMs: number;

  constructor(fsyncIntervalMs: number) {
    this.#fsyncIntervalMs = fsyncIntervalMs;
  }

  *labelSets(): Generator<Labels> {
    for (const { labels } of this.#series.values()) yield labels;
  }

  #cell(labels: Labels, timeMs: number): Cell {
    const key = labels.toString();
    let series = this.#series.get(key);
    if (series === undefined) this.#series.set(key, (series = { labels, cells: new Map() }));
    let cell = series.cells.get(timeMs);
    if (cell === undefined) {
      cell = {
        allowed: [ABSENT],
        before: [ABSENT],
        changedMs: -Infinity,
        late: false,
        contested: false,
      };
      series.cells.set(timeMs, cell);
    }
    return cell;
  }

  /** The samples that may be there at a time; empty when there is surely none. */
  at(labels: Labels, timeMs: number): readonly string[] {
    const allowed = this.#series.get(labels.toString())?.cells.get(timeMs)?.allowed ?? [ABSENT];
    return allowed.filter((text) => text !== ABSENT);
  }

  /** The newest time at which the series surely has had a sample; -Infinity: none. */
  newestMs(labels: Labels): number {
    let newest = -Infinity;
    for (const [timeMs, cell] of this.#series.get(labels.toString())?.cells ?? []) {
      if (!cell.allowed.includes(ABSENT)) newest = Math.max(newest, timeMs);
    }
    return newest;
  }

  /** The newest time at which the series may have had a sample. */
  newestPossibleMs(labels: Labels): number {
    let newest = -Infinity;
    for (const [timeMs] of this.#series.get(labels.toString())?.cells ?? []) newest = Math.max(newest, timeMs);
    return newest;
  }

  /** A sample was committed. @param late out of order */
  put(labels: Labels, timeMs: number, text: string, nowMs: number, late: boolean): void {
    const cell = this.#cell(labels, timeMs);
    cell.late ||= late;
    this.#change(cell, [text], nowMs);
  }

  /** A sample may have been committed, beside what was there. */
  maybePut(labels: Labels, timeMs: number, text: string, nowMs: number, late: boolean): void {
    const cell = this.#cell(labels, timeMs);
    cell.late ||= late;
    this.#change(cell, union(cell.allowed, [text]), nowMs);
  }

  /** A sample was taken where there was another: either may be answered, at any time. */
  contest(labels: Labels, timeMs: number, text: string, nowMs: number): void {
    this.maybePut(labels, timeMs, text, nowMs, true);
    this.#cell(labels, timeMs).contested = true;
  }

  /** A sample was taken late into a range that had been deleted: as in Prometheus it may be hidden until it is compacted. */
  putHidden(labels: Labels, timeMs: number, text: string, nowMs: number): void {
    this.contest(labels, timeMs, text, nowMs);
    const cell = this.#cell(labels, timeMs);
    cell.allowed = union(cell.allowed, [ABSENT]);
  }

  /** @param surely false when the deletion was interrupted */
  delete(selected: (labels: Labels) => boolean, minMs: number, maxMs: number, nowMs: number, surely: boolean): void {
    for (const { labels, cells } of this.#series.values()) {
      if (!selected(labels)) continue;
      for (const [timeMs, cell] of cells) {
        if (timeMs < minMs || timeMs > maxMs) continue;
        // As in Prometheus, a deletion of what came out of order holds until that is compacted.
        this.#change(cell, surely && !cell.late ? [ABSENT] : union(cell.allowed, [ABSENT]), nowMs);
        cell.contested = cell.late;
      }
    }
  }

  /** Samples before a time may be there, or go at any time. */
  expire(beforeMs: number): void {
    for (const { cells } of this.#series.values()) {
      for (const [timeMs, cell] of cells) {
        if (timeMs >= beforeMs) continue;
        cell.allowed = union(cell.allowed, [ABSENT]);
        cell.contested = true;
      }
    }
  }

  /** What was done within the last fsync interval may be undone. */
  losePower(nowMs: number): void {
    for (const { cells } of this.#series.values()) {
      for (const cell of cells.values()) {
        if (cell.changedMs >= nowMs - this.#fsyncIntervalMs) cell.allowed = union(cell.allowed, cell.before);
      }
    }
  }

  #change(cell: Cell, allowed: readonly string[], nowMs: number): void {
    const settled = cell.changedMs < nowMs - this.#fsyncIntervalMs;
    cell.before = settled ? cell.allowed : union(cell.before, cell.allowed);
    cell.allowed = allowed;
    cell.changedMs = nowMs;
  }

  /**
   * Compares with what the database answers for a selection, and takes over from it what was open.
   * @param mayLackLate samples that came out of order need not be there
   * @returns what is wrong, undefined when nothing is
   */
  compare(
    dump: Dump,
    selected: (labels: Labels) => boolean = () => true,
    minMs = -Infinity,
    maxMs = Infinity,
    mayLackLate = false,
  ): string | undefined {
    const unknown = new Set(Object.keys(dump).filter((key) => dump[key]!.length > 0));
    for (const [key, { labels, cells }] of this.#series) {
      unknown.delete(key);
      const samples = selected(labels) ? (dump[key] ?? []) : [];
      if (!selected(labels) && (dump[key]?.length ?? 0) > 0) return `${key} was not selected`;
      if (!selected(labels)) continue;
      const found = new Map<number, string>();
      let previous = -Infinity;
      for (const [timeMs, text] of samples) {
        if (timeMs <= previous) return `${key}: ${timeMs} comes behind ${previous}`;
        if (timeMs < minMs || timeMs > maxMs) return `${key}: ${timeMs} is outside ${minMs}..${maxMs}`;
        previous = timeMs;
        found.set(timeMs, text);
        if (!cells.has(timeMs)) return `${key}: has ${text} at ${timeMs}, where nothing was ever committed`;
      }
      for (const [timeMs, cell] of cells) {
        if (timeMs < minMs || timeMs > maxMs) continue;
        const text = found.get(timeMs) ?? ABSENT;
        if (mayLackLate && cell.late && text === ABSENT) continue;
        if (!cell.allowed.includes(text)) {
          const wanted = cell.allowed.map((allowed) => allowed || 'nothing').join(' or ');
          return `${key}: has ${text || 'nothing'} at ${timeMs}, not ${wanted}`;
        }
        if (!cell.contested) cell.allowed = [text];
      }
    }
    const [first] = unknown;
    return first === undefined ? undefined : `${first}: a series that was never written`;
  }
}

function union(a: readonly string[], b: readonly string[]): readonly string[] {
  return [...new Set([...a, ...b])];
}
