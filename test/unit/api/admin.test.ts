import assert from 'node:assert/strict';
import type { AdminStorage, ApiDeps } from '../../../lib/api/index.ts';
import { PromletError } from '../../../lib/model/index.ts';
import { memoryQueryable, serve, testDeps } from './fixture.ts';

class Recorder implements AdminStorage {
  readonly calls: string[] = [];
  fault: Error | undefined;

  async deleteSeries(minMs: number, maxMs: number, matchers: readonly object[]): Promise<void> {
    await this.#note(`delete ${minMs} ${maxMs} {${matchers.map(String).join(',')}}`);
  }

  cleanTombstones(): Promise<void> {
    return this.#note('clean');
  }

  async snapshot(withHead: boolean): Promise<string> {
    await this.#note(`snapshot ${withHead}`);
    return 'name';
  }

  async #note(call: string): Promise<void> {
    if (this.fault !== undefined) throw this.fault;
    this.calls.push(call);
  }
}

describe('api: admin', () => {
  async function post(deps: Partial<ApiDeps>, path: string, method = 'POST'): Promise<[number, unknown]> {
    const server = await serve(testDeps(memoryQueryable([]), deps));
    try {
      const response = await fetch(`${server.url}/api/v1/admin/tsdb/${path}`, { method });
      const text = await response.text();
      return [response.status, text.startsWith('{') ? JSON.parse(text) : text];
    } finally {
      await server.close();
    }
  }

  it('is refused unless it is turned on', async () => {
    const admin = new Recorder();
    for (const path of ['delete_series?match[]=up', 'clean_tombstones', 'snapshot']) {
      const [status, body] = await post({ admin }, path);
      assert.deepEqual(
        [status, body],
        [500, { status: 'error', errorType: 'unavailable', error: 'admin APIs disabled' }],
      );
    }
    assert.deepEqual(admin.calls, []);
  });

  it('deletes, cleans and makes snapshots', async () => {
    const admin = new Recorder();
    const deps = { admin, enableAdmin: true };
    assert.deepEqual(await post(deps, 'delete_series?match[]=up&match[]={a="b"}&start=1&end=2.5'), [204, '']);
    assert.deepEqual(await post(deps, 'clean_tombstones', 'PUT'), [204, '']);
    assert.deepEqual(await post(deps, 'snapshot'), [200, { status: 'success', data: { name: 'name' } }]);
    await post(deps, 'snapshot?skip_head=true');
    assert.deepEqual(admin.calls, [
      'delete 1000 2500 {__name__="up"}',
      'delete 1000 2500 {a="b"}',
      'clean',
      'snapshot true',
      'snapshot false',
    ]);
  });

  it('deletes nothing when one of the selectors is none', async () => {
    const admin = new Recorder();
    const [status] = await post({ admin, enableAdmin: true }, 'delete_series?match[]=up&match[]=up{');
    assert.equal(status, 400);
    assert.deepEqual(admin.calls, []);
  });

  it('is not done by GET', async () => {
    const admin = new Recorder();
    assert.equal((await post({ admin, enableAdmin: true }, 'clean_tombstones', 'GET'))[0], 405);
    assert.deepEqual(admin.calls, []);
  });

  it('tells what the database says', async () => {
    const admin = new Recorder();
    admin.fault = new PromletError('storage/snapshot', 'no space');
    const [status, body] = await post({ admin, enableAdmin: true }, 'snapshot');
    assert.deepEqual(
      [status, body],
      [500, { status: 'error', errorType: 'internal', error: 'create snapshot: no space' }],
    );
  });
});

describe('api: quitting', () => {
  it('asks the program to end, once, when the answer is out', async () => {
    let quits = 0;
    const server = await serve(testDeps(memoryQueryable([]), { lifecycle: true, quit: () => quits++ }));
    try {
      const texts: string[] = [];
      for (let i = 0; i < 2; i++) texts.push(await (await fetch(`${server.url}/-/quit`, { method: 'POST' })).text());
      assert.deepEqual(texts, ['Requesting termination... Goodbye!', 'Termination already in progress.']);
    } finally {
      await server.close();
    }
    assert.equal(quits, 1);
  });

  it('is forbidden unless the flag is set', async () => {
    const quit = (): never => assert.fail('quit');
    const server = await serve(testDeps(memoryQueryable([]), { lifecycle: false, quit }));
    try {
      assert.equal((await fetch(`${server.url}/-/quit`, { method: 'PUT' })).status, 403);
    } finally {
      await server.close();
    }
  });
});
