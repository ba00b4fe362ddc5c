/** Text as Go's time, text/tabwriter and encoding/json write it: what promtool prints, byte for byte. */

/** A `time.Duration`: `1h59m59.999s`, `1.5s`, `999ms`, `0s`. */
export function formatGoDuration(durationMs: number): string {
  if (durationMs === 0) return '0s';
  const sign = durationMs < 0 ? '-' : '';
  const ms = Math.abs(durationMs);
  if (ms < 1000) return `${sign}${ms}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor(ms / 60_000) % 60;
  const seconds = (ms % 60_000) / 1000;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}s` : `${sign}${seconds}s`;
}

/** A `time.Time` in UTC, whole seconds: `2023-11-14 22:13:20 +0000 UTC`. */
export function formatGoTime(timestampMs: number): string {
  const date = new Date(Math.trunc(timestampMs / 1000) * 1000);
  if (Number.isNaN(date.getTime())) return String(timestampMs);
  const year = date.getUTCFullYear();
  const rest = date.toISOString().replace(/^[+-]?\d+/, '');
  const padded = String(Math.abs(year)).padStart(4, '0');
  return `${year < 0 ? '-' : ''}${padded}${rest.slice(0, 6)} ${rest.slice(7, 15)} +0000 UTC`;
}

/** Binary units, every one that is not zero: `1MiB2KiB3B`. */
export function formatBase2Bytes(sizeBytes: number): string {
  if (sizeBytes === 0) return '0B';
  let out = '';
  let left = sizeBytes;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']) {
    const count = left % 1024;
    if (count !== 0) out = `${count}${unit}${out}`;
    left = Math.floor(left / 1024);
  }
  return out;
}

const MIN_WIDTH = 13;
const PADDING = 2;

/** Lines of a `tabwriter` of minimal width 13 and padding 2; all rows have the same number of cells. */
export function formatColumns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? MIN_WIDTH, Array.from(cell).length + PADDING)));
  }
  return rows
    .map((row) => `${row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!))).join('')}\n`)
    .join('');
}

/** A string in JSON as encoding/json writes it: what could end a script element is escaped too. */
export function formatGoJsonString(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
