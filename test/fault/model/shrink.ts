import type { Case, Operation } from './operations.ts';

/**
 * A smaller case that still fails: operations are dropped in ever smaller runs (Zeller's ddmin), then rows of commits, for as
 * long as something can go.
 */
export async function shrink(failing: Case, fails: (candidate: Case) => Promise<boolean>): Promise<Case> {
  let best = failing;
  const attempt = async (operations: readonly Operation[]): Promise<boolean> => {
    const candidate = { ...best, operations };
    if (!(await fails(candidate))) return false;
    best = candidate;
    return true;
  };
  for (let before = Infinity; before > weight(best);) {
    before = weight(best);
    for (let run = Math.ceil(best.operations.length / 2); run >= 1; run = run === 1 ? 0 : Math.ceil(run / 2)) {
      for (let from = 0; from < best.operations.length;) {
        const rest = [...best.operations.slice(0, from), ...best.operations.slice(from + run)];
        if (!(await attempt(rest))) from += run;
      }
    }
    for (let i = 0; i < best.operations.length; i++) {
      for (const smaller of smallerOnes(best.operations[i]!)) {
        if (await attempt(best.operations.with(i, smaller))) {
          i--;
          break;
        }
      }
    }
  }
  return best;
}

/** The same operation with less in it. */
function* smallerOnes(operation: Operation): Generator<Operation> {
  if (operation.op === 'append' && operation.rows.length > 1) {
    for (let i = 0; i < operation.rows.length; i++) yield { ...operation, rows: operation.rows.toSpliced(i, 1) };
  }
  if (operation.op === 'scrapes') {
    const { count, seriesCount } = operation;
    if (count > 1) yield { ...operation, count: Math.floor(count / 2) };
    if (count > 1) yield { ...operation, count: count - 1 };
    if (seriesCount > 1) yield { ...operation, seriesCount: Math.floor(seriesCount / 2) };
  }
}

function weight({ operations }: Case): number {
  let sum = operations.length;
  for (const operation of operations) {
    if (operation.op === 'append') sum += operation.rows.length;
    if (operation.op === 'scrapes') sum += operation.count + operation.seriesCount;
  }
  return sum;
}
