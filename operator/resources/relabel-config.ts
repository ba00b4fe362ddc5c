import { z } from 'zod';
import { text, textList } from './scalars.ts';

const ACTIONS = [
  'replace',
  'Replace',
  'keep',
  'Keep',
  'drop',
  'Drop',
  'hashmod',
  'HashMod',
  'labelmap',
  'LabelMap',
  'labeldrop',
  'LabelDrop',
  'labelkeep',
  'LabelKeep',
  'lowercase',
  'Lowercase',
  'uppercase',
  'Uppercase',
  'keepequal',
  'KeepEqual',
  'dropequal',
  'DropEqual',
] as const;

export const relabelConfig = z.object({
  action: z.enum(ACTIONS).meta({ description: 'What to do when the regex matches.', default: 'replace' }).optional(),
  modulus: z.int().min(0).meta({ description: 'Modulus of the hash (hashmod).', format: 'int64' }).optional(),
  regex: text('RE2 expression, anchored at both ends.'),
  replacement: text('Replacement; may refer to groups of the regex.'),
  separator: text('Between the joined source values; ";" by default.'),
  sourceLabels: textList('Labels whose values are joined and matched.'),
  targetLabel: text('Label to write.'),
});

export const relabelConfigs = (description: string) => z.array(relabelConfig).describe(description).optional();

export type RelabelConfig = z.infer<typeof relabelConfig>;
