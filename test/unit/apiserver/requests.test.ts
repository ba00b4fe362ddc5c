import assert from 'node:assert/strict';

import { ApiError, type ApiServer, startApiServer } from '../../sandbox/apiserver/index.ts';
import { send, Watch } from './client.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

function configMap(name: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...more };
}

describe('the sandbox API server', () => {
  let server: ApiServer;
  let watches: Watch[];

  beforeEach(async () => {
    server = await startApiServer();
    watches = [];
  });
  afterEach(async () => {
    for (const watch of watches) watch.close();
    await server.close();
  });

  async function watch(path: string, headers?: Record<string, string>): Promise<Watch> {
    const opened = await Watch.open(server, path, headers);
    watches.push(opened);
    return opened;
  }

  function names(items: { metadata: { name: string } }[] | undefined): string[] {
    return (items ?? []).map((item) => item.metadata.name);
  }

  describe('writes', () => {
    it('refuse a second object of the same name and a missing one', async () => {
      assert.equal((await send(server, 'POST', CONFIG_MAPS, configMap('a'))).code, 201);
      const again = await send(server, 'POST', CONFIG_MAPS, configMap('a'));
      assert.deepEqual(
        [again.code, again.body.reason, again.body.message],
        [409, 'AlreadyExists', 'configmaps "a" already exists'],
      );
      const missing = await send(server, 'GET', `${CONFIG_MAPS}/b`);
      assert.deepEqual(
        [missing.code, missing.body.reason, missing.body.message],
        [404, 'NotFound', 'configmaps "b" not found'],
      );
      const homeless = await send(server, 'POST', '/api/v1/namespaces/nowhere/configmaps', configMap('a'));
      assert.deepEqual([homeless.code, homeless.body.message], [404, 'namespaces "nowhere" not found']);
    });

    it('refuse an update of an old version', async () => {
      const { body } = await send(server, 'POST', CONFIG_MAPS, configMap('a'));
      const first = await send(server, 'PUT', `${CONFIG_MAPS}/a`, { ...body, data: { n: '1' } });
      assert.equal(first.code, 200);
      assert.ok(Number(first.body.metadata?.resourceVersion) > Number(body.metadata?.resourceVersion));
      const stale = await send(server, 'PUT', `${CONFIG_MAPS}/a`, { ...body, data: { n: '2' } });
      assert.deepEqual([stale.code, stale.body.reason], [409, 'Conflict']);
      assert.deepEqual(server.get('v1', 'ConfigMap', 'a')?.data, { n: '1' });
    });

    it('make a name from generateName and store nothing on a dry run', async () => {
      const made = await send(server, 'POST', CONFIG_MAPS, { metadata: { generateName: 'job-' } });
      assert.match(String(made.body.metadata?.name), /^job-[0-9a-f]{5}$/);
      const dry = await send(server, 'POST', `${CONFIG_MAPS}?dryRun=All`, configMap('dry'));
      assert.equal(dry.code, 201);
      assert.equal(server.get('v1', 'ConfigMap', 'dry'), undefined);
    });

    it('count generations by the spec and keep the status to its own endpoint', async () => {
      const pods = '/api/v1/namespaces/default/pods';
      const pod = {
        metadata: { name: 'p' },
        spec: { containers: [{ name: 'c', image: 'i:1' }] },
        status: { phase: 'Failed' },
      };
      const created = await send(server, 'POST', pods, pod);
      assert.deepEqual(created.body.status, { phase: 'Pending' });
      const merge = { 'content-type': 'application/merge-patch+json' };
      const spec = { containers: [{ name: 'c', image: 'i:2' }] };
      await send(server, 'PATCH', `${pods}/p`, { spec, status: { phase: 'Failed' } }, merge);
      await send(
        server,
        'PATCH',
        `${pods}/p/status`,
        { spec: { containers: [] }, status: { phase: 'Running' } },
        merge,
      );
      const stored = server.get('v1', 'Pod', 'p')!;
      assert.deepEqual(stored.status, { phase: 'Running' });
      assert.equal((stored.spec as { containers: { image: string }[] }).containers[0]?.image, 'i:2');
      assert.equal(stored.metadata.generation, 2);
    });

    it('delete what an object owned, or leave it as an orphan', async () => {
      for (const policy of ['Background', 'Orphan']) {
        const owner = server.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'owner' } });
        const reference = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid! };
        const metadata = { name: 'owned', ownerReferences: [reference] };
        server.apply({ apiVersion: 'v1', kind: 'Secret', metadata });
        await send(server, 'DELETE', `${CONFIG_MAPS}/owner`, { propagationPolicy: policy });
        const references = server.get('v1', 'Secret', 'owned')?.metadata.ownerReferences;
        assert.deepEqual(references, policy === 'Orphan' ? [] : undefined, policy);
      }
    });

    it('keep an object until its last finalizer goes', async () => {
      await send(
        server,
        'POST',
        CONFIG_MAPS,
        configMap('a', { metadata: { name: 'a', finalizers: ['promlet.dev/x'] } }),
      );
      const deleted = await send(server, 'DELETE', `${CONFIG_MAPS}/a`);
      assert.ok(deleted.body.metadata?.deletionTimestamp);
      assert.ok(server.get('v1', 'ConfigMap', 'a'));
      const patch = [{ op: 'remove', path: '/metadata/finalizers' }];
      await send(server, 'PATCH', `${CONFIG_MAPS}/a`, patch, { 'content-type': 'application/json-patch+json' });
      assert.equal(server.get('v1', 'ConfigMap', 'a'), undefined);
    });
  });

  describe('lists', () => {
    it('select by labels and fields, and refuse fields that are not offered', async () => {
      for (const [name, labels] of Object.entries({ a: { app: 'x' }, b: { app: 'y', tier: 'z' }, c: {} })) {
        server.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels } });
      }
      const cases: [parameter: string, selector: string, wanted: string[]][] = [
        ['labelSelector', 'app=x', ['a']],
        ['labelSelector', 'app!=x', ['b', 'c']],
        ['labelSelector', 'app in (x,y)', ['a', 'b']],
        ['labelSelector', 'app notin (x)', ['b', 'c']],
        ['labelSelector', 'app,!tier', ['a']],
        ['fieldSelector', 'metadata.name=b', ['b']],
        ['fieldSelector', 'metadata.name!=b', ['a', 'c']],
      ];
      for (const [parameter, selector, wanted] of cases) {
        const query = new URLSearchParams([[parameter, selector]]).toString();
        const { body } = await send(server, 'GET', `${CONFIG_MAPS}?${query}`);
        assert.deepEqual(names(body.items), wanted, selector);
      }
      const refused = await send(server, 'GET', `${CONFIG_MAPS}?fieldSelector=data.x=1`);
      assert.deepEqual([refused.code, refused.body.message], [400, 'field label not supported: data.x']);
    });

    it('name the type once for built-in objects, as the real server does', async () => {
      server.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } });
      const { body } = await send(server, 'GET', CONFIG_MAPS);
      assert.deepEqual([body.kind, body.apiVersion], ['ConfigMapList', 'v1']);
      assert.deepEqual(Object.keys(body.items?.[0] ?? {}), ['metadata']);
    });

    it('page through one state, whatever is written meanwhile', async () => {
      for (const name of ['a', 'b', 'c', 'd'])
        server.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
      const first = await send(server, 'GET', `${CONFIG_MAPS}?limit=2`);
      assert.deepEqual(names(first.body.items), ['a', 'b']);
      assert.equal(first.body.metadata?.remainingItemCount, 2);
      server.delete('v1', 'ConfigMap', 'c');
      server.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'bb' } });
      const rest = await send(
        server,
        'GET',
        `${CONFIG_MAPS}?limit=2&continue=${String(first.body.metadata?.continue)}`,
      );
      assert.deepEqual(names(rest.body.items), ['c', 'd']);
      assert.equal(rest.body.metadata?.resourceVersion, first.body.metadata?.resourceVersion);
      server.compact();
      const late = await send(
        server,
        'GET',
        `${CONFIG_MAPS}?limit=2&continue=${String(first.body.metadata?.continue)}`,
      );
      assert.deepEqual([late.code, late.body.reason], [410, 'Expired']);
    });
  });

  describe('watches', () => {
    it('go on from a version, and translate leaving the selection into a deletion', async () => {
      server.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'old', labels: { app: 'x' } } });
      const { body } = await send(server, 'GET', CONFIG_MAPS);
      server.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', labels: { app: 'x' } } });
      const events = await watch(
        `${CONFIG_MAPS}?watch=1&labelSelector=app%3Dx&resourceVersion=${String(body.metadata?.resourceVersion)}`,
      );
      assert.deepEqual(await events.take(1), ['ADDED a']);
      server.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'other' } });
      server.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', labels: { app: 'x', more: 'y' } } });
      server.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', labels: { app: 'y' } } });
      server.delete('v1', 'ConfigMap', 'a');
      server.delete('v1', 'ConfigMap', 'old');
      assert.deepEqual(await events.take(3), ['MODIFIED a', 'DELETED a', 'DELETED old']);
    });

    it('stream the present objects and a bookmark when asked to', async () => {
      server.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } });
      const query = 'watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan';
      const events = await watch(`${CONFIG_MAPS}?${query}`);
      assert.deepEqual(await events.take(1), ['ADDED a']);
      const bookmark = await events.next();
      assert.equal(bookmark?.type, 'BOOKMARK');
      assert.deepEqual(bookmark?.object.metadata.annotations, { 'k8s.io/initial-events-end': 'true' });
    });

    it('answer a forgotten version with 410 in the stream', async () => {
      server.compact();
      server.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } });
      const events = await watch(`${CONFIG_MAPS}?watch=1&resourceVersion=1`);
      const line = await events.next();
      assert.deepEqual([line?.type, line?.object.code], ['ERROR', 410]);
      assert.equal(await events.next(), undefined);
    });

    it('end after timeoutSeconds', async () => {
      const events = await watch(`${CONFIG_MAPS}?watch=1&timeoutSeconds=1`);
      assert.equal(await events.next(), undefined);
    });
  });

  describe('faults', () => {
    it('break the watches that run', async () => {
      const events = await watch(`${CONFIG_MAPS}?watch=1`);
      assert.equal(server.dropWatches(), 1);
      await assert.rejects(events.next());
    });

    it('answer matching requests with an error, as often as told', async () => {
      server.inject({
        matches: ({ method, url }) => method === 'GET' && url.startsWith(CONFIG_MAPS),
        error: new ApiError(429, 'TooManyRequests', 'slow down'),
        retryAfterSeconds: 1,
        times: 1,
      });
      assert.equal((await send(server, 'GET', '/api/v1/namespaces')).code, 200);
      const refused = await send(server, 'GET', CONFIG_MAPS);
      assert.deepEqual(
        [refused.code, refused.body.reason, refused.headers.get('retry-after')],
        [429, 'TooManyRequests', '1'],
      );
      assert.equal((await send(server, 'GET', CONFIG_MAPS)).code, 200);
    });

    it('spare objects and the port in an outage', async () => {
      server.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } });
      const events = await watch(`${CONFIG_MAPS}?watch=1&resourceVersion=1`);
      await server.stop();
      await assert.rejects(async () => {
        while ((await events.next()) !== undefined);
      });
      await assert.rejects(send(server, 'GET', CONFIG_MAPS));
      await server.start();
      assert.deepEqual(names((await send(server, 'GET', CONFIG_MAPS)).body.items), ['a']);
    });
  });

  it('lists 10,000 objects and finds those of one node', async () => {
    for (let i = 0; i < 10_000; i += 1) {
      const spec = { nodeName: `node-${i % 100}`, containers: [{ name: 'c', image: 'i' }] };
      server.apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name: `p-${i}` }, spec });
    }
    const all = await send(server, 'GET', '/api/v1/pods');
    assert.equal(all.body.items?.length, 10_000);
    const some = await send(server, 'GET', '/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-7');
    assert.equal(some.body.items?.length, 100);
  });
});
