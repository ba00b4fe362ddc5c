import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LastKnownTargets } from '../../../agent/last-known-targets.ts';
import { createLogger, nodeFileSystem } from '../../../lib/env/index.ts';
import { Labels } from '../../../lib/model/index.ts';

const logger = createLogger('silent');

describe('last known targets', () => {
  let dir: string;
  let targets: LastKnownTargets;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-targets-'));
    targets = new LastKnownTargets(dir, nodeFileSystem, logger);
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('are none before the first save', () => {
    assert.equal(targets.load().size, 0);
  });

  it('come back as they were saved, whatever the labels hold', async () => {
    const labels = Labels.of([
      ['__meta_x', 'y'],
      ['__proto__', 'constructor'],
      ['a', '"\n\u{1f600}'],
    ]);
    const group = { source: 'pod/shop/cart', labels, targets: [Labels.of({ __address__: '10.0.0.1:80' })] };
    await targets.save(
      new Map([
        ['__proto__', [group]],
        ['empty', []],
      ]),
    );
    const loaded = new LastKnownTargets(dir, nodeFileSystem, logger).load();
    assert.deepEqual([...loaded.keys()], ['__proto__', 'empty']);
    const [back] = loaded.get('__proto__')!;
    assert.equal(back!.source, group.source);
    assert.ok(back!.labels.equals(labels));
    assert.ok(back!.targets[0]!.equals(group.targets[0]!));
  });

  for (const [what, text] of [
    ['cut short', '{"job":[{"source":"a","labels":['],
    ['no object', '7'],
    ['a group without a source', '{"job":[{"labels":[],"targets":[]}]}'],
    ['labels that do not pair', '{"job":[{"source":"a","labels":["x"],"targets":[]}]}'],
    ['labels that are no strings', '{"job":[{"source":"a","labels":[1,2],"targets":[]}]}'],
  ] as const) {
    it(`are none when the file is ${what}, and the file is kept aside`, () => {
      writeFileSync(targets.path, text);
      assert.equal(targets.load().size, 0);
      assert.equal(readFileSync(`${targets.path}.corrupt`, 'utf8'), text);
      assert.ok(!existsSync(targets.path));
    });
  }

  it('do not stop discovery when the disk is full', async () => {
    const full = {
      ...nodeFileSystem,
      writeFileSync: () => {
        throw new Error('ENOSPC');
      },
    };
    const saved = new LastKnownTargets(dir, full, logger);
    await saved.save(new Map());
    assert.equal(saved.load().size, 0);
  });
});
