import assert from 'node:assert/strict';
import { createLogger, systemClock } from '../../../../lib/env/index.ts';
import { KubeApiError, type KubeClient, type KubeObject, type Resource } from '../../../../lib/kube/index.ts';
import { acceptedCondition, StatusWriter } from '../../../../operator/status/index.ts';

const RESOURCE: Resource = { group: 'a.b', version: 'v1', plural: 'monitors', kind: 'Monitor', namespaced: true };
const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

interface Status {
  conditions: { type: string; status: string; message?: string }[];
}

function monitor(status?: unknown, generation = 1): KubeObject {
  return { metadata: { namespace: 'shop', name: 'a', generation }, ...(status === undefined ? {} : { status }) };
}

describe('the condition Accepted', () => {
  it('says why a monitor was rejected', () => {
    assert.deepEqual(acceptedCondition('no such key', 3, NOW_MS, undefined), {
      type: 'Accepted',
      status: 'False',
      reason: 'InvalidConfiguration',
      message: 'no such key',
      lastTransitionTime: '2026-01-02T03:04:05Z',
      observedGeneration: 3,
    });
  });

  it('keeps its transition time while the status stays', () => {
    const first = acceptedCondition('a', 1, NOW_MS, undefined);
    const second = acceptedCondition('b', 2, NOW_MS + 60_000, first);
    const third = acceptedCondition(undefined, 3, NOW_MS + 60_000, second);
    assert.equal(second.lastTransitionTime, first.lastTransitionTime);
    assert.equal(third.lastTransitionTime, '2026-01-02T03:05:05Z');
  });

  it('bounds the message', () => {
    assert.ok(acceptedCondition('x'.repeat(10_000), 1, NOW_MS, undefined).message!.length < 1100);
  });
});

describe('the status writer', () => {
  let patches: Status[];
  let events: string[];
  let failure: Error | undefined;
  let writer: StatusWriter;

  beforeEach(() => {
    patches = [];
    events = [];
    failure = undefined;
    const patch = async (_resource: Resource, _name: object, body: { status: Status }): Promise<unknown> => {
      if (failure !== undefined) throw failure;
      patches.push(body.status);
      return {};
    };
    writer = new StatusWriter({
      client: { patch } as unknown as Pick<KubeClient, 'patch'>,
      events: { record: async (_, type, reason, note) => void events.push(`${type} ${reason}: ${note}`) },
      logger: createLogger('silent'),
      clock: { ...systemClock, now: () => NOW_MS },
    });
  });

  it('writes nothing that is there already', async () => {
    const conditions = [acceptedCondition(undefined, 1, NOW_MS, undefined)];
    await writer.write(RESOURCE, monitor({ conditions }), undefined);
    assert.deepEqual(patches, []);
  });

  it('keeps the conditions of others', async () => {
    await writer.write(RESOURCE, monitor({ conditions: [{ type: 'Other', status: 'True' }] }), undefined);
    assert.deepEqual(
      patches[0]!.conditions.map(({ type, status }) => `${type} ${status}`),
      ['Other True', 'Accepted True'],
    );
  });

  it('writes once where the CRD prunes conditions, and again after a change', async () => {
    await writer.write(RESOURCE, monitor(), 'bad');
    await writer.write(RESOURCE, monitor(), 'bad');
    assert.equal(patches.length, 1);
    await writer.write(RESOURCE, monitor(undefined, 2), 'bad');
    assert.equal(patches.length, 2);
    writer.forget(RESOURCE, 'shop/a');
    await writer.write(RESOURCE, monitor(undefined, 2), 'bad');
    assert.equal(patches.length, 3);
  });

  it('records an Event with a rejection only', async () => {
    await writer.write(RESOURCE, monitor(), undefined);
    await writer.write(RESOURCE, monitor(undefined, 2), 'bad');
    assert.deepEqual(events, ['Warning InvalidConfiguration: bad']);
  });

  it('passes over a monitor that is gone, and fails when the server does not answer', async () => {
    failure = new KubeApiError('PATCH', 404, { reason: 'NotFound' });
    await writer.write(RESOURCE, monitor(), 'bad');
    assert.deepEqual(events, []);
    failure = new KubeApiError('PATCH', 500, {});
    await assert.rejects(writer.write(RESOURCE, monitor(), 'bad'), { code: 'kube/server-error' });
  });
});
