import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { FileConfigSource, SecretConfigSource } from '../../../agent/config-source.ts';
import { LastGoodConfig } from '../../../agent/last-good-config.ts';
import { createLogger, nodeFileSystem, seededRandom, systemClock } from '../../../lib/env/index.ts';
import { createKubeClient, type KubeClient } from '../../../lib/kube/index.ts';
import { until } from '../../tools/until.ts';
import { FakeApiServer, sendJson } from '../kube/fake-api-server.ts';

const secret = (resourceVersion: string, data: Record<string, string>) => ({
  metadata: { namespace: 'promlet', name: 'config', resourceVersion },
  data,
});
const packed = (text: string | Buffer) => ({ 'prometheus.yaml.gz': gzipSync(text).toString('base64') });

describe('configuration from a Secret', () => {
  let server: FakeApiServer;
  let client: KubeClient;
  let source: SecretConfigSource;
  let items: object[];
  let watch: Promise<ServerResponse>;

  beforeEach(async () => {
    server = new FakeApiServer();
    items = [];
    watch = new Promise((resolve) => {
      server.handler = ({ query }, response) => {
        if (!query.has('watch')) return sendJson(response, 200, { metadata: { resourceVersion: '1' }, items });
        response.writeHead(200).flushHeaders();
        resolve(response);
      };
    });
    client = await createKubeClient({ server: await server.listen() });
    source = new SecretConfigSource({
      client,
      secret: { namespace: 'promlet', name: 'config' },
      clock: systemClock,
      random: seededRandom(1),
      logger: createLogger('silent'),
    });
  });

  afterEach(async () => {
    await source.stop();
    client.close();
    await server.close();
  });

  const changed = (): Promise<void> => new Promise((resolve) => source.start(resolve));

  it('is read from one Secret, asked for by name', async () => {
    items = [secret('1', packed('global: {}\n'))];
    await changed();
    assert.equal(await source.read(), 'global: {}\n');
    const { path, query } = server.requests[0]!;
    assert.equal(path, '/api/v1/namespaces/promlet/secrets');
    assert.equal(query.get('fieldSelector'), 'metadata.name=config');
  });

  it('follows changes of the Secret, and survives its deletion', async () => {
    let changes = 0;
    const seen = new Promise<void>((resolve) => source.start(() => (++changes === 1 ? resolve() : undefined)));
    const stream = await watch;
    stream.write(`${JSON.stringify({ type: 'ADDED', object: secret('2', packed('a: 1')) })}\n`);
    await seen;
    assert.equal(await source.read(), 'a: 1');
    stream.write(`${JSON.stringify({ type: 'DELETED', object: secret('3', {}) })}\n`);
    let reason = '';
    await until(() => {
      source.read().catch((error: Error) => (reason = error.message));
      return reason !== '';
    });
    assert.match(reason, /no such Secret/);
    assert.equal(changes, 1);
  });

  const refused: readonly [string, Record<string, string>, RegExp][] = [
    ['another key', { other: '' }, /secret promlet\/config: it has no key prometheus.yaml.gz/],
    ['no gzip', { 'prometheus.yaml.gz': 'AAAA' }, /incorrect header check/],
    [
      'a truncated gzip',
      { 'prometheus.yaml.gz': gzipSync('x'.repeat(999)).subarray(0, 20).toString('base64') },
      /unexpected end/,
    ],
    ['no UTF-8', packed(Buffer.from([0xff, 0xfe])), /not valid for encoding utf-8/],
    ['a gzip bomb', packed(Buffer.alloc(65 << 20)), /larger than/],
  ];
  for (const [title, data, message] of refused) {
    it(`is refused with ${title}`, async () => {
      items = [secret('1', data)];
      await changed();
      await assert.rejects(source.read(), { code: 'config/unreadable', message });
    });
  }
});

describe('configuration on disk', () => {
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'promlet-config-'))));
  afterEach(() => rmSync(dir, { recursive: true }));

  it('is read from a file again and again', async () => {
    const path = join(dir, 'prometheus.yml');
    const source = new FileConfigSource(path, nodeFileSystem);
    await assert.rejects(source.read(), { code: 'config/unreadable', message: /ENOENT/ });
    writeFileSync(path, 'a');
    assert.equal(await source.read(), 'a');
    writeFileSync(path, 'b');
    assert.equal(await source.read(), 'b');
  });

  it('keeps the last good one whole when a write fails', async () => {
    const store = new LastGoodConfig(dir, nodeFileSystem);
    assert.equal(store.load(), undefined);
    await store.save('first');
    const full = {
      ...nodeFileSystem,
      writeFileSync: () => {
        throw new Error('ENOSPC');
      },
    };
    await assert.rejects(new LastGoodConfig(dir, full).save('second'), /ENOSPC/);
    assert.equal(store.load(), 'first');
    await Promise.all([store.save('second'), store.save('third')]);
    assert.equal(store.load(), 'third');
    assert.deepEqual(readdirSync(dir), ['last-good-config.yaml']);
  });
});
