import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { createLogger, seededRandom, systemClock } from '../../../lib/env/index.ts';
import { createKubeClient, type KubeClient, type KubeObject, PODS, Reflector } from '../../../lib/kube/index.ts';
import { until } from '../../tools/until.ts';
import { FakeApiServer, sendJson, sendStatus } from './fake-api-server.ts';

const logger = createLogger('silent');
/** Waits are cut to a thousandth; their order stays. */
const fastClock = {
  ...systemClock,
  setTimer: (run: () => void, delayMs: number) => systemClock.setTimer(run, delayMs / 1000),
};

function pod(name: string, resourceVersion: string, extra: object = {}): KubeObject {
  return { metadata: { namespace: 'shop', name, resourceVersion, ...extra } };
}

/** Answers lists from `lists`, one after the other (the last for ever), and hands watches to the test. */
class Script {
  lists: ((response: ServerResponse) => void)[] = [];
  watches: ((response: ServerResponse) => void)[] = [];
  readonly open: ServerResponse[] = [];

  answer(isWatch: boolean, response: ServerResponse): void {
    const steps = isWatch ? this.watches : this.lists;
    const step = steps.length > 1 ? steps.shift() : steps[0];
    if (isWatch) this.open.push(response);
    if (step !== undefined) step(response);
    else response.writeHead(200).flushHeaders();
  }
}

const list =
  (resourceVersion: string, ...items: KubeObject[]) =>
  (response: ServerResponse): void =>
    sendJson(response, 200, { metadata: { resourceVersion }, items });

const events =
  (...lines: object[]) =>
  (response: ServerResponse): void => {
    response.writeHead(200);
    for (const line of lines) response.write(`${JSON.stringify(line)}\n`);
  };

const event = (type: string, object: object): object => ({ type, object });

describe('reflector', () => {
  let server: FakeApiServer;
  let client: KubeClient;
  let script: Script;
  let reflector: Reflector<KubeObject>;
  let log: string[];

  beforeEach(async () => {
    server = new FakeApiServer();
    client = await createKubeClient({ server: await server.listen() });
    script = new Script();
    server.handler = ({ query }, response) => script.answer(query.has('watch'), response);
    log = [];
    const random = seededRandom(7);
    reflector = new Reflector({ client, resource: PODS, logger, clock: fastClock, random, fieldSelector: 'a=b' });
    reflector.subscribe(({ type, key, object }) => log.push(`${type} ${key} ${object.metadata.resourceVersion}`));
  });

  afterEach(async () => {
    await reflector.stop();
    client.close();
    await server.close();
  });

  const watches = () => server.requests.filter(({ query }) => query.has('watch'));
  const lists = () => server.requests.filter(({ query }) => !query.has('watch'));

  it('lists, then follows the watch', async () => {
    script.lists = [list('10', pod('a', '1'), pod('b', '2'))];
    script.watches = [
      events(
        event('ADDED', pod('c', '11')),
        event('MODIFIED', pod('a', '12')),
        event('DELETED', pod('b', '13')),
        event('BOOKMARK', { metadata: { resourceVersion: '20' } }),
      ),
    ];
    reflector.start();
    await reflector.synced;
    await until(() => log.length === 5);
    assert.deepEqual(log, ['add shop/a 1', 'add shop/b 2', 'add shop/c 11', 'update shop/a 12', 'delete shop/b 2']);
    assert.deepEqual([...reflector.objects.keys()], ['shop/a', 'shop/c']);
    const { query } = watches()[0]!;
    assert.equal(query.get('resourceVersion'), '10');
    assert.equal(query.get('allowWatchBookmarks'), 'true');
    assert.equal(query.get('fieldSelector'), 'a=b');
    assert.equal(lists()[0]!.query.get('resourceVersion'), '0');
  });

  it('keeps calling a listener that subscribed twice after one subscription has ended', async () => {
    const seen: string[] = [];
    const listener = ({ key }: { readonly key: string }): void => void seen.push(key);
    const first = reflector.subscribe(listener);
    reflector.subscribe(listener);
    first();
    script.lists = [list('1', pod('a', '1'))];
    reflector.start();
    await reflector.synced;
    assert.deepEqual(seen, ['shop/a']);
  });

  it('reads a list page by page before it shows any of it', async () => {
    const page = (token: string, ...items: KubeObject[]) => ({
      metadata: { resourceVersion: '9', continue: token },
      items,
    });
    script.lists = [
      (response) => sendJson(response, 200, page('more', pod('a', '1'))),
      (response) => sendJson(response, 200, page('', pod('b', '2'))),
    ];
    reflector.start();
    await reflector.synced;
    assert.deepEqual([...reflector.objects.keys()], ['shop/a', 'shop/b']);
    assert.equal(lists()[1]!.query.get('continue'), 'more');
    assert.equal(lists()[1]!.query.get('resourceVersion'), null);
  });

  it('resumes from the last bookmark when a watch is cut, without listing', async () => {
    script.lists = [list('10', pod('a', '1'))];
    script.watches = [
      (response) => {
        events(event('BOOKMARK', { metadata: { resourceVersion: '50' } }))(response);
        setTimeout(() => response.destroy(), 5);
      },
      events(),
    ];
    reflector.start();
    await until(() => watches().length === 2);
    assert.equal(watches()[1]!.query.get('resourceVersion'), '50');
    assert.equal(lists().length, 1);
    assert.deepEqual([...reflector.objects.keys()], ['shop/a']);
  });

  const gone: readonly [string, (response: ServerResponse) => void][] = [
    ['as HTTP status', (response) => sendStatus(response, 410, 'Expired', 'too old resource version')],
    [
      'as an ERROR event',
      events(event('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' })),
    ],
  ];
  for (const [title, answer] of gone) {
    it(`lists again after 410 Gone ${title} and passes on only the difference`, async () => {
      script.lists = [
        list('10', pod('a', '1'), pod('b', '2'), pod('c', '3')),
        list('90', pod('b', '2'), pod('c', '80')),
      ];
      script.watches = [answer, events()];
      reflector.start();
      await until(() => watches().length === 2);
      assert.deepEqual(log.slice(3), ['update shop/c 80', 'delete shop/a 1']);
      assert.equal(lists()[1]!.query.get('resourceVersion'), '', 'the newest version is asked for');
      assert.equal(watches()[1]!.query.get('resourceVersion'), '90');
    });
  }

  it('keeps what it has while the server is away, and says why', async () => {
    script.lists = [list('10', pod('a', '1'))];
    script.watches = [(response) => response.destroy()];
    reflector.start();
    await until(() => watches().length >= 4);
    assert.deepEqual([...reflector.objects.keys()], ['shop/a']);
    assert.deepEqual(log, ['add shop/a 1']);
    assert.match(reflector.lastError?.message ?? '', /socket hang up|ECONNRESET/);
  });

  it('retries a first list that fails until it succeeds', async () => {
    const refuse = (response: ServerResponse): void => sendStatus(response, 403, 'Forbidden', 'no pods for you');
    script.lists = [refuse, refuse, list('10', pod('a', '1'))];
    reflector.start();
    await reflector.synced;
    assert.equal(lists().length, 3);
    assert.equal(reflector.lastError, undefined);
  });

  it('stops while a watch is open', async () => {
    script.lists = [list('10')];
    reflector.start();
    await until(() => script.open.length === 1);
    await reflector.stop();
    assert.equal(watches().length, 1);
  });
});
