import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, type Timer } from '../../../lib/env/index.ts';
import {
  createKubeClient,
  isKubeError,
  KubeApiError,
  type KubeClient,
  LEASES,
  NODES,
  PODS,
} from '../../../lib/kube/index.ts';
import { PromletError } from '../../../lib/model/index.ts';
import { FakeApiServer, type Handler, sendJson, sendStatus } from './fake-api-server.ts';

const POD = { metadata: { namespace: 'shop', name: 'web' } };

describe('kube client', () => {
  let server: FakeApiServer;
  let url: string;
  let client: KubeClient;
  let dir: string;

  beforeEach(async () => {
    server = new FakeApiServer();
    url = await server.listen();
    client = await createKubeClient({ server: url });
    dir = mkdtempSync(join(tmpdir(), 'promlet-kube-'));
  });

  afterEach(async () => {
    client.close();
    await server.close();
    rmSync(dir, { recursive: true });
  });

  const kubeconfig = (user: string, cluster = ''): string => {
    const path = join(dir, 'config');
    const text = `apiVersion: v1
kind: Config
current-context: here
contexts: [{name: here, context: {cluster: c, user: u, namespace: mine}}]
clusters: [{name: c, cluster: {server: "${url}/base/"${cluster}}}]
users: [{name: u, user: {${user}}}]
`;
    writeFileSync(path, text);
    return path;
  };

  describe('builds the paths of the API', () => {
    const cases: readonly [string, (c: KubeClient) => Promise<unknown>, string][] = [
      ['core group', (c) => c.get(PODS, { namespace: 'shop', name: 'web' }), 'GET /api/v1/namespaces/shop/pods/web'],
      ['cluster scope', (c) => c.get(NODES, { name: 'n1' }), 'GET /api/v1/nodes/n1'],
      [
        'named group and subresource',
        (c) => c.get(LEASES, { namespace: 'a', name: 'b' }, { subresource: 'status' }),
        'GET /apis/coordination.k8s.io/v1/namespaces/a/leases/b/status',
      ],
      ['all namespaces', (c) => c.list(PODS), 'GET /api/v1/pods'],
      ['create', (c) => c.create(PODS, POD), 'POST /api/v1/namespaces/shop/pods'],
      ['update', (c) => c.update(PODS, POD), 'PUT /api/v1/namespaces/shop/pods/web'],
      ['delete', (c) => c.delete(PODS, POD.metadata), 'DELETE /api/v1/namespaces/shop/pods/web'],
      [
        'names that need escaping',
        (c) => c.get(PODS, { namespace: 'shop', name: 'a/../b' }),
        'GET /api/v1/namespaces/shop/pods/a%2F..%2Fb',
      ],
    ];
    for (const [title, call, expected] of cases) {
      it(title, async () => {
        server.handler = (_, response) => sendJson(response, 200, { metadata: {}, items: [] });
        await call(client);
        const { method, path } = server.requests[0]!;
        assert.equal(`${method} ${path}`, expected);
      });
    }
  });

  it('adds apiVersion and kind, and applies with a field manager', async () => {
    server.handler = (_, response) => sendJson(response, 200, POD);
    await client.apply(PODS, POD, { fieldManager: 'promlet', force: true });
    const { method, query, headers, body } = server.requests[0]!;
    assert.equal(method, 'PATCH');
    assert.equal(query.get('fieldManager'), 'promlet');
    assert.equal(query.get('force'), 'true');
    assert.equal(headers['content-type'], 'application/apply-patch+yaml');
    assert.deepEqual(JSON.parse(body), { apiVersion: 'v1', kind: 'Pod', ...POD });
  });

  describe('turns a Status into a typed error', () => {
    const cases: readonly [number, string, string][] = [
      [404, 'NotFound', 'kube/not-found'],
      [409, 'AlreadyExists', 'kube/already-exists'],
      [409, 'Conflict', 'kube/conflict'],
      [410, 'Expired', 'kube/gone'],
      [410, 'Gone', 'kube/gone'],
      [403, 'Forbidden', 'kube/forbidden'],
      [422, 'Invalid', 'kube/invalid'],
      [500, '', 'kube/server-error'],
    ];
    for (const [status, reason, code] of cases) {
      it(`${status} ${reason}`, async () => {
        server.handler = (_, response) => sendStatus(response, status, reason, 'because');
        await assert.rejects(client.get(PODS, { namespace: 'shop', name: 'web' }), (error) => {
          assert.ok(isKubeError(error, code), String(error));
          assert.equal(error.httpStatus, status);
          assert.match(error.message, /GET \/api\/v1\/namespaces\/shop\/pods\/web: because/);
          return true;
        });
      });
    }

    it('keeps what a proxy said instead of a Status, and when to come back', async () => {
      server.handler = (_, response) => void response.writeHead(429, { 'retry-after': '7' }).end('busy\n');
      await assert.rejects(client.list(PODS), (error) => {
        assert.ok(error instanceof KubeApiError);
        assert.equal(error.code, 'kube/too-many-requests');
        assert.match(error.message, /busy/);
        assert.equal(error.retryAfterMs, 7000);
        return true;
      });
    });
  });

  describe('names faults that are no answer', () => {
    const cases: readonly [title: string, handler: Handler, code: string, timeoutMs?: number][] = [
      ['not JSON', (_, response) => void response.end('<html>'), 'kube/bad-response'],
      ['not an object', (_, response) => void response.end('[]'), 'kube/bad-response'],
      ['connection cut', (_, response) => void response.destroy(), 'kube/unreachable'],
      ['silence', () => undefined, 'kube/timeout', 100],
    ];
    for (const [title, handler, code, timeoutMs = 60_000] of cases) {
      it(title, async () => {
        server.handler = handler;
        const call = client.get(PODS, { namespace: 'shop', name: 'web' }, { timeoutMs });
        await assert.rejects(call, (error) => error instanceof PromletError && error.code === code);
      });
    }
  });

  it('takes what remains of a deadline, in fractions of a millisecond', async () => {
    server.handler = (_, response) => sendJson(response, 200, POD);
    assert.deepEqual(await client.get(PODS, POD.metadata, { timeoutMs: 59_998.276 }), POD);
  });

  it('refuses a watch line beyond the limit instead of buffering it', async () => {
    server.handler = (_, response) => {
      response.writeHead(200);
      response.write('{"type":"ADDED","object":"');
      const more = (): void => void (response.writable && response.write('x'.repeat(1 << 20), more));
      more();
    };
    const options = { resourceVersion: '1', timeoutMs: 1e6, idleTimeoutMs: 1e6, signal: new AbortController().signal };
    await assert.rejects(client.watch(PODS, options).next(), { code: 'kube/bad-response' });
  });

  it('gives up a watch that falls silent', async () => {
    server.handler = (_, response) => {
      response.writeHead(200);
      response.write(`${JSON.stringify({ type: 'ADDED', object: POD })}\n`);
    };
    const timers = new Map<() => void, number>();
    const setTimer = (callback: () => void, delayMs: number): Timer => {
      timers.set(callback, delayMs);
      return { cancel: () => void timers.delete(callback) };
    };
    const watching = await createKubeClient({ server: url, clock: { ...systemClock, setTimer } });
    const options = { resourceVersion: '1', timeoutMs: 1e6, idleTimeoutMs: 50, signal: new AbortController().signal };
    const watch = watching.watch(PODS, options);
    const first = watch.next();
    const [beforeAnything] = timers.keys();
    assert.deepEqual((await first).value, { type: 'ADDED', object: POD });
    assert.ok(!timers.has(beforeAnything!), 'what came was noticed');
    const next = watch.next();
    const [[bark, delayMs]] = [...timers] as [[() => void, number]];
    assert.equal(delayMs, 50);
    bark();
    await assert.rejects(next, { code: 'kube/timeout' });
    watching.close();
  });

  describe('reads a kubeconfig', () => {
    const authorizations: readonly [string, string, string | undefined][] = [
      ['token', 'token: abc', 'Bearer abc'],
      ['basic', 'username: me, password: "p:w"', `Basic ${Buffer.from('me:p:w').toString('base64')}`],
      ['none', '', undefined],
      [
        'credential plugin',
        `exec: {apiVersion: client.authentication.k8s.io/v1, command: "${process.execPath}", args: ["-p", 'JSON.stringify({status:{token:"from-plugin"}})']}`,
        'Bearer from-plugin',
      ],
    ];
    for (const [title, user, expected] of authorizations) {
      it(`with authorization: ${title}`, async () => {
        server.handler = (_, response) => sendJson(response, 200, POD);
        const configured = await createKubeClient({ kubeconfig: kubeconfig(user) });
        await configured.get(NODES, { name: 'n1' });
        configured.close();
        assert.equal(server.requests[0]!.headers.authorization, expected);
        assert.equal(server.requests[0]!.path, '/base/api/v1/nodes/n1');
        assert.equal(configured.namespace, 'mine');
      });
    }

    it('reads a token file again after a 401', async () => {
      writeFileSync(join(dir, 'token'), 'old\n');
      const configured = await createKubeClient({ kubeconfig: kubeconfig('tokenFile: token') });
      server.handler = ({ headers }, response) => {
        if (headers.authorization === 'Bearer new') return sendJson(response, 200, POD);
        writeFileSync(join(dir, 'token'), 'new\n');
        sendStatus(response, 401, 'Unauthorized', 'expired');
      };
      await configured.get(NODES, { name: 'n1' });
      configured.close();
      assert.deepEqual(
        server.requests.map(({ headers }) => headers.authorization),
        ['Bearer old', 'Bearer new'],
      );
    });

    const refused: readonly [string, () => string, RegExp][] = [
      ['a file that is not there', () => join(dir, 'nowhere'), /nowhere: ENOENT/],
      ['auth-provider', () => kubeconfig('auth-provider: {name: gcp}'), /auth-provider is not supported/],
      ['proxy-url', () => kubeconfig('', ', proxy-url: "http://p"'), /proxy-url is not supported/],
    ];
    for (const [title, path, message] of refused) {
      it(`refuses ${title}`, async () => {
        await assert.rejects(createKubeClient({ kubeconfig: path() }), { code: 'kube/bad-config', message });
      });
    }

    it('says that it is outside a cluster', async () => {
      await assert.rejects(createKubeClient({ env: {} }), { code: 'kube/bad-config', message: /not in a cluster/ });
    });
  });
});
