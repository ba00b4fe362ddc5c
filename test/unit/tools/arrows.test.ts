import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkArrows } from '../../tools/arrows.ts';

describe('arrows between rooms', () => {
  it('hold in this checkout', () => {
    const report = checkArrows(fileURLToPath(new URL('../../..', import.meta.url)));
    assert.deepEqual(report.faults, []);
    assert.ok(report.arrows > 20, 'the imports were found');
  });

  const faults: [string, Record<string, string>, RegExp][] = [
    [
      'agent importing operator',
      { 'agent/main.ts': `import type { A } from '../operator/x/index.ts';` },
      /agent may not import operator\/x/,
    ],
    [
      'lib importing agent',
      { 'lib/api/a.ts': `export * from '../../agent/scrape/index.ts';` },
      /lib\/api may not import agent\/scrape/,
    ],
    [
      'tsdb importing promql',
      { 'lib/tsdb/a.ts': `const p = await import('../promql/index.ts');` },
      /lib\/tsdb may not import lib\/promql/,
    ],
    [
      'a private file of another room',
      { 'lib/env/a.ts': `import { a } from '../model/labels.ts';` },
      /through its index\.ts only/,
    ],
    [
      'a cycle',
      { 'lib/model/a.ts': `import './b.ts';`, 'lib/model/b.ts': `import './a.ts';` },
      /cycle: lib\/model\/a\.ts → lib\/model\/b\.ts → lib\/model\/a\.ts/,
    ],
  ];
  for (const [name, files, expected] of faults) {
    it(`refuse ${name}`, () => {
      const root = mkdtempSync(join(tmpdir(), 'promlet-arrows-'));
      try {
        for (const dir of ['agent', 'operator', 'lib']) mkdirSync(join(root, dir));
        for (const [path, text] of Object.entries(files)) {
          mkdirSync(dirname(join(root, path)), { recursive: true });
          writeFileSync(join(root, path), text);
        }
        assert.match(checkArrows(root).faults.join('\n'), expected);
      } finally {
        rmSync(root, { recursive: true });
      }
    });
  }
});
