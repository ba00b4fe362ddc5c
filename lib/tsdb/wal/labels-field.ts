import { Labels, LabelsBuilder } from '../../model/index.ts';
import type { RecordReader } from './record-reader.ts';
import type { RecordWriter } from './record-writer.ts';

/** Labels in a record: their number, then each name and value, all behind uvarint lengths (record.EncodeLabels). */
export function writeLabels(out: RecordWriter, { pairs }: Labels): void {
  out.uvarint(pairs.length / 2);
  for (const text of pairs) out.text(text);
}

export function readLabels(record: RecordReader): Labels {
  // Two lengths per label: more cannot be there.
  const count = record.count(2);
  const pairs: string[] = [];
  for (let i = 0; i < count * 2 && !record.failed; i++) pairs.push(record.text());
  return record.failed ? Labels.EMPTY : ordered(pairs);
}

/** Passes over labels: fails where `readLabels` does. */
export function skipLabels(record: RecordReader): void {
  const count = record.count(2);
  for (let i = 0; i < count * 2 && !record.failed; i++) record.skipText();
}

/** Labels as the model wants them, also where another writer's order or empty values differ. */
function ordered(pairs: string[]): Labels {
  for (let i = 0; i < pairs.length; i += 2) {
    if (pairs[i + 1] === '' || (i > 0 && pairs[i]! <= pairs[i - 2]!)) {
      const builder = new LabelsBuilder();
      for (let j = 0; j < pairs.length; j += 2) builder.set(pairs[j]!, pairs[j + 1]!);
      return builder.labels();
    }
  }
  return new Labels(pairs);
}
