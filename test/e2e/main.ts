/**
 * `npm run e2e -- --image NAME`: the chart on a real cluster, whichever KUBECONFIG names (kind, k3s, any other). The
 * image must be known to its nodes. Leaves nothing behind but a data directory `/var/lib/promlet-e2e-…` on the nodes and the
 * CRDs, which Helm never removes.
 * Last line: `N passed, N failed`.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleScript } from '../tools/bundle.ts';
import { fetchMissing, peer } from '../tools/peers.ts';
import { Cluster } from './cluster.ts';
import { eventually, instant, raw, type RawSeries } from '../tools/prometheus-api.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NAMESPACE = 'promlet-e2e';
const RELEASE = 'promlet';
const PORT = 9090;
/** 128 + 9. */
const SIGKILL_EXIT_CODE = 137;
const QUERY = 'sum by (job, node) (rate(shop_http_requests_total[15s]))';

interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly spec: { readonly nodeName: string };
}
interface PodStatus {
  readonly status: {
    readonly containerStatuses: readonly {
      readonly ready: boolean;
      readonly lastState: { readonly terminated?: { readonly exitCode: number } };
    }[];
  };
}
interface List<T> {
  readonly items: readonly T[];
}

const { values: flags } = parseArgs({ options: { image: { type: 'string', default: 'promlet.test/promlet:dev' } } });
if (process.env['KUBECONFIG'] === undefined) throw new Error('KUBECONFIG must name the cluster to run on');
await fetchMissing(() => undefined);
const cluster = new Cluster(process.env['KUBECTL'] ?? peer('kubectl')!, process.env['HELM'] ?? peer('helm')!);
const image = /^(.*):([^:/]+)$/.exec(flags.image);
if (image === null) throw new Error(`--image ${flags.image}: give REPOSITORY:TAG`);
/** Of its own for each run: what an earlier run left on the nodes is not this run's. */
const hostPath = `/var/lib/promlet-e2e-${Date.now()}`;
const values = [`image.repository=${image[1]}`, `image.tag=${image[2]}`, `agent.storage.hostPath=${hostPath}`].flatMap(
  (value) => ['--set', value],
);

const results: { step: string; ok: boolean; seconds: number; figures: string }[] = [];

async function step(name: string, body: () => Promise<string>): Promise<void> {
  const started = performance.now();
  const elapsed = (): number => (performance.now() - started) / 1000;
  try {
    const figures = await body();
    results.push({ step: name, ok: true, seconds: elapsed(), figures });
  } catch (error) {
    results.push({ step: name, ok: false, seconds: elapsed(), figures: String(error) });
    console.error(error);
  }
  const { ok, seconds, figures } = results.at(-1)!;
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name} (${seconds.toFixed(1)} s) ${figures}`);
}

const operator = <T>(body: (url: string) => Promise<T>): Promise<T> =>
  cluster.forwarded(NAMESPACE, `service/${RELEASE}`, PORT, body);
const agents = async (): Promise<readonly Pod[]> =>
  (await cluster.json<List<Pod>>('get', 'pods', '-n', NAMESPACE, '-l', 'app.kubernetes.io/component=agent')).items;
const rollout = async (): Promise<void> => {
  for (const kind of ['deployment', 'daemonset']) {
    const selector = `app.kubernetes.io/instance=${RELEASE}`;
    await cluster.kubectl('rollout', 'status', kind, '-n', NAMESPACE, '-l', selector, '--timeout=120s');
  }
};

let nodeCount = 0;
await step('the cluster has at least two ready nodes', async () => {
  const nodes = await cluster.json<List<{ metadata: { name: string } }>>('get', 'nodes');
  nodeCount = nodes.items.length;
  assert.ok(nodeCount >= 2, `${nodeCount} nodes`);
  return nodes.items.map((item) => item.metadata.name).join(' ');
});

await step('helm install: the operator and one agent per node run under the chart’s own RBAC', async () => {
  await cluster.helm(
    'install',
    RELEASE,
    join(ROOT, 'charts', 'promlet'),
    '-n',
    NAMESPACE,
    '--create-namespace',
    ...values,
  );
  await rollout();
  const onNodes = new Set((await agents()).map((pod) => pod.spec.nodeName));
  assert.equal(onNodes.size, nodeCount);
  const account = `system:serviceaccount:${NAMESPACE}:${RELEASE}-agent`;
  const mayReadSecrets = await cluster
    .kubectl('auth', 'can-i', 'list', 'secrets', '-A', `--as=${account}`)
    .catch(() => 'no');
  assert.equal(mayReadSecrets.trim(), 'no', 'an agent may list Secrets');
  const mayListPods = await cluster.kubectl('auth', 'can-i', 'list', 'pods', '-A', `--as=${account}`);
  assert.equal(mayListPods.trim(), 'yes');
  return `${onNodes.size} agents`;
});

await step('workloads run on every node', async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'promlet-e2e-'));
  try {
    const script = join(scratch, 'shop.mjs');
    await bundleScript('test/sandbox/workloads/shop.ts', script);
    await cluster.apply('{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}');
    await cluster.kubectl('create', 'configmap', 'shop', '-n', 'shop', `--from-file=shop.mjs=${script}`);
  } finally {
    rmSync(scratch, { recursive: true });
  }
  const manifest = readFileSync(join(ROOT, 'test', 'e2e', 'manifests', 'workloads.yaml'), 'utf8');
  await cluster.apply(manifest.replaceAll('$IMAGE', flags.image));
  await cluster.kubectl('rollout', 'status', 'daemonset', '-n', 'shop', '--timeout=120s');
  return `${2 * nodeCount} pods`;
});

await step('a ServiceMonitor and a PodMonitor are scraped on both nodes, seen in one federated answer', async () => {
  for (const file of ['frontend-servicemonitor.yaml', 'cart-podmonitor.yaml']) {
    await cluster.apply(readFileSync(join(ROOT, 'test', 'sandbox', 'manifests', file), 'utf8'));
  }
  const applied = performance.now();
  return operator(async (url) => {
    await eventually('up = 1 of both jobs on every node', 60_000, async () => {
      const samples = await instant(url, 'up{namespace="shop"} == 1');
      return samples.length === 2 * nodeCount;
    });
    const upAfter = (performance.now() - applied) / 1000;
    const samples = await eventually('rates of both jobs on every node', 60_000, async () => {
      const found = await instant(url, QUERY);
      return found.length === 2 * nodeCount && found;
    });
    for (const { metric, value } of samples) assert.ok(Number(value[1]) > 0, JSON.stringify(metric));
    const jobs = new Set(samples.map(({ metric }) => metric['job']));
    assert.deepEqual(
      [...jobs].toSorted((a, b) => (a! < b! ? -1 : 1)),
      ['frontend', 'shop/cart'],
    );
    return `first samples on all nodes ${upAfter.toFixed(1)} s after kubectl apply (scrape interval 2 s)`;
  });
});

await step('every agent scrapes its own node’s pods only', async () => {
  const pods = await agents();
  for (const pod of pods) {
    await cluster.forwarded(NAMESPACE, `pod/${pod.metadata.name}`, PORT, async (url) => {
      const samples = await instant(url, 'count by (node) (up{namespace="shop"})');
      assert.deepEqual(
        samples.map(({ metric, value }) => [metric['node'], value[1]]),
        [[pod.spec.nodeName, '2']],
      );
    });
  }
  return `${pods.length} agents, 2 targets each`;
});

/** Raw samples of the last 10 minutes up to `atSeconds`, as comparable text by series. */
async function rawSamples(url: string, atSeconds: number): Promise<Map<string, string[]>> {
  const series: RawSeries[] = await raw(url, '{namespace="shop"}[10m]', atSeconds);
  return new Map(series.map(({ metric, values }) => [JSON.stringify(metric), values.map((pair) => pair.join(' '))]));
}

function countOf(samples: ReadonlyMap<string, readonly string[]>): number {
  return [...samples.values()].reduce((sum, list) => sum + list.length, 0);
}

/** All samples an agent has now, and when that was. */
async function rememberedBy(pod: Pod): Promise<{ atSeconds: number; samples: Map<string, string[]> }> {
  return cluster.forwarded(NAMESPACE, `pod/${pod.metadata.name}`, PORT, async (url) => {
    const atSeconds = Date.now() / 1000;
    const samples = await rawSamples(url, atSeconds);
    assert.ok(countOf(samples) > 0, 'there are samples to lose');
    return { atSeconds, samples };
  });
}

function assertKept(after: ReadonlyMap<string, string[]>, before: ReadonlyMap<string, string[]>): void {
  for (const [metric, samples] of before) assert.deepEqual(after.get(metric), samples, metric);
}

await step('an agent killed with SIGKILL is restarted with its data', async () => {
  const victim = (await agents())[0]!;
  const before = await rememberedBy(victim);
  const manifest = readFileSync(join(ROOT, 'test', 'e2e', 'manifests', 'killer.yaml'), 'utf8');
  await cluster.apply(manifest.replaceAll('$IMAGE', flags.image).replaceAll('$NODE', victim.spec.nodeName));
  await eventually('the container killed and ready again', 60_000, async () => {
    const { status } = await cluster.json<PodStatus>('get', 'pod', '-n', NAMESPACE, victim.metadata.name);
    const [container] = status.containerStatuses;
    return container!.ready && container!.lastState.terminated?.exitCode === SIGKILL_EXIT_CODE;
  });
  await cluster.kubectl('delete', 'pod', '-n', 'shop', 'killer');
  const after = await cluster.forwarded(NAMESPACE, `pod/${victim.metadata.name}`, PORT, (url) =>
    rawSamples(url, before.atSeconds),
  );
  assertKept(after, before.samples);
  return `${countOf(before.samples)} samples in ${before.samples.size} series, all there`;
});

await step('an agent pod deleted by force is replaced, with the node’s data', async () => {
  const victim = (await agents())[0]!;
  const before = await rememberedBy(victim);
  await cluster.kubectl('delete', 'pod', '-n', NAMESPACE, victim.metadata.name, '--grace-period=0', '--force');
  const back = await eventually('a new agent pod on the node', 60_000, async () => {
    const pods = await agents();
    return pods.find((pod) => pod.spec.nodeName === victim.spec.nodeName && pod.metadata.uid !== victim.metadata.uid);
  });
  await cluster.kubectl('wait', '--for=condition=Ready', '-n', NAMESPACE, `pod/${back.metadata.name}`, '--timeout=60s');
  const after = await cluster.forwarded(NAMESPACE, `pod/${back.metadata.name}`, PORT, (url) =>
    rawSamples(url, before.atSeconds),
  );
  assertKept(after, before.samples);
  return `${countOf(before.samples)} samples in ${before.samples.size} series, all there`;
});

await step('helm upgrade changes a value and loses no sample', async () => {
  const before = await operator(async (url) => {
    const atSeconds = Date.now() / 1000;
    return { atSeconds, samples: await rawSamples(url, atSeconds) };
  });
  const logLevel = ['--set', 'operator.logLevel=debug', '--set', 'agent.logLevel=debug'];
  await cluster.helm('upgrade', RELEASE, join(ROOT, 'charts', 'promlet'), '-n', NAMESPACE, ...values, ...logLevel);
  await rollout();
  const after = await eventually('the same samples', 60_000, () =>
    operator(async (url) => {
      const samples = await rawSamples(url, before.atSeconds);
      return samples.size >= before.samples.size && samples;
    }),
  );
  assertKept(after, before.samples);
  const fresh = await eventually('new samples after the upgrade', 60_000, () =>
    operator(async (url) => {
      const samples = await instant(url, 'up{namespace="shop"} == 1');
      return samples.length === 2 * nodeCount && samples;
    }),
  );
  return `${countOf(before.samples)} samples in ${before.samples.size} series kept, ${fresh.length} targets up again`;
});

await step('helm uninstall leaves nothing but the data directory', async () => {
  for (const file of ['frontend-servicemonitor.yaml', 'cart-podmonitor.yaml']) {
    await cluster.kubectl('delete', '-f', join(ROOT, 'test', 'sandbox', 'manifests', file));
  }
  await cluster.helm('uninstall', RELEASE, '-n', NAMESPACE, '--wait');
  const left = await eventually('all objects gone', 60_000, async () => {
    const kinds = 'all,secrets,configmaps,serviceaccounts,roles,rolebindings,leases,poddisruptionbudgets';
    const names = (await cluster.kubectl('get', kinds, '-n', NAMESPACE, '-o', 'name')).split('\n');
    const own = names.filter((name) => name !== '' && !/kube-root-ca|serviceaccount\/default$/.test(name));
    const selector = `app.kubernetes.io/instance=${RELEASE}`;
    const clusterWide = await cluster.kubectl('get', 'clusterroles,clusterrolebindings', '-l', selector, '-o', 'name');
    return own.length === 0 && clusterWide.trim() === '' ? ['nothing'] : undefined;
  });
  await cluster.kubectl('delete', 'namespace', NAMESPACE, 'shop', '--wait=true');
  return left.join(' ');
});

const failed = results.filter(({ ok }) => !ok).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
