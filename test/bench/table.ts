export type Cell = string | number;

/** Prints a table: the first column is left-aligned, numbers to the right. */
export function table(title: string, rows: readonly (readonly Cell[])[]): void {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, String(cell).length)));
  console.log(`\n${title}`);
  for (const row of rows) {
    const cells = row.map((cell, i) => (i === 0 ? String(cell).padEnd(widths[i]!) : String(cell).padStart(widths[i]!)));
    console.log(`  ${cells.join('  ').trimEnd()}`);
  }
}

/** A row of one figure for several contenders; the first over the second behind them. */
export function compared(title: string, values: readonly number[], digits: number): Cell[] {
  const [first = NaN, second = NaN] = values;
  const ratio = second > 0 ? (first / second).toFixed(2) : '';
  return [title, ...values.map((value) => value.toFixed(digits)), ratio];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

/** The value that so great a share of all does not exceed: 0.5 for the median, 1 for the greatest. NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

export const MB = 1e6;
