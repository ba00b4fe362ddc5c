import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { createLogger } from '../../../../lib/env/index.ts';
import { KubeApiError, type KubeClient, type KubeObject } from '../../../../lib/kube/index.ts';
import { CONFIG_KEY, HASH_ANNOTATION, Publisher } from '../../../../operator/publish/index.ts';

type StoredSecret = KubeObject & { type?: string; data?: Record<string, string> };

/** One Secret, or none. */
class OneSecret {
  stored: StoredSecret | undefined;
  writes = 0;

  readonly client = {
    get: async () => {
      if (this.stored === undefined) throw new KubeApiError('GET', 404, { reason: 'NotFound' });
      return this.stored;
    },
    create: async (_: unknown, object: KubeObject) => this.#write(object),
    update: async (_: unknown, object: KubeObject) => this.#write(object),
  } as unknown as Pick<KubeClient, 'get' | 'create' | 'update'>;

  #write(object: KubeObject): KubeObject {
    this.writes++;
    return (this.stored = object as StoredSecret);
  }
}

describe('the publisher', () => {
  let secret: OneSecret;
  let publisher: Publisher;

  beforeEach(() => {
    secret = new OneSecret();
    const logger = createLogger('silent');
    publisher = new Publisher({ client: secret.client, secret: { namespace: 'promlet', name: 'config' }, logger });
  });

  it('creates the Secret with the gzipped YAML and its hash', async () => {
    assert.equal(await publisher.publish('global: {}\n'), true);
    const { metadata, type, data } = secret.stored!;
    assert.equal(gunzipSync(Buffer.from(data![CONFIG_KEY]!, 'base64')).toString(), 'global: {}\n');
    assert.match(metadata.annotations![HASH_ANNOTATION]!, /^[0-9a-f]{64}$/);
    assert.deepEqual([metadata.namespace, metadata.name, type], ['promlet', 'config', 'Opaque']);
  });

  it('writes the same bytes for the same YAML', async () => {
    await publisher.publish('a: 1\n');
    const first = secret.stored!.data![CONFIG_KEY];
    secret.stored = undefined;
    await publisher.publish('a: 1\n');
    assert.equal(secret.stored!['data']![CONFIG_KEY], first);
  });

  it('does not write what is there already', async () => {
    await publisher.publish('a: 1\n');
    assert.equal(await publisher.publish('a: 1\n'), false);
    assert.equal(secret.writes, 1);
    assert.equal(await publisher.publish('a: 2\n'), true);
    assert.equal(secret.writes, 2);
  });

  it('fills the Secret that the chart made, and keeps what others put there', async () => {
    const metadata = { namespace: 'promlet', name: 'config', resourceVersion: '7', labels: { helm: 'yes' } };
    secret.stored = { metadata, type: 'Opaque', data: { other: 'eA==' } };
    await publisher.publish('a: 1\n');
    assert.deepEqual(secret.stored.metadata.labels, { helm: 'yes' });
    assert.equal(secret.stored.metadata.resourceVersion, '7');
    assert.deepEqual(Object.keys(secret.stored.data!).toSorted(), ['other', CONFIG_KEY].toSorted());
  });

  it('writes again when the data was emptied by hand', async () => {
    await publisher.publish('a: 1\n');
    secret.stored = { ...secret.stored!, data: {} };
    assert.equal(await publisher.publish('a: 1\n'), true);
  });

  it('refuses what no Secret can hold, and leaves the last configuration', async () => {
    await publisher.publish('a: 1\n');
    const huge = randomBytes(1024 * 1024).toString('hex');
    await assert.rejects(publisher.publish(huge), { code: 'publish/too-large' });
    assert.equal(secret.writes, 1);
  });
});
