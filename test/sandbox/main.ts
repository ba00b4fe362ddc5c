/**
 * `npm start`: the sandbox with a tour. `npm start -- --once` prints the first federated answer and exits. The data stays
 * in .sandbox/ between runs; `--dir` puts it elsewhere.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { peer } from '../tools/peers.ts';
import { Sandbox } from './sandbox.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const { values: flags } = parseArgs({
  options: { once: { type: 'boolean', default: false }, dir: { type: 'string', default: join(ROOT, '.sandbox') } },
});

const QUERY = 'sum by (job, node) (rate(shop_http_requests_total[15s]))';
/** Requests a second need two scrapes of both nodes, 2 s apart: on any machine that is not out of order. */
const FIRST_ANSWER_TIMEOUT_MS = 120_000;
/** frontend and cart on two nodes. */
const FIRST_ANSWER_SERIES = 4;
const PROMETHEUS_PORT = 9090;

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

const startedAt = performance.now();
const seconds = (): string => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
const say = (line: string): void => console.log(line);

let sandbox: Sandbox | undefined;
let stopping: Promise<void> | undefined;
const stop = (): Promise<void> => (stopping ??= sandbox?.close() ?? Promise.resolve());
// A terminal that is closed says SIGHUP, which makes agents reload instead of end.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => void stop().then(() => process.exit(0)));
}

try {
  sandbox = await Sandbox.create({ dir: flags.dir, operatorPort: PROMETHEUS_PORT });
  await startAll(sandbox);
  const answer = await firstAnswer(sandbox);
  printAnswer(answer);
  if (flags.once) {
    await stop();
  } else {
    printTour(sandbox);
  }
} catch (error) {
  if (stopping === undefined) {
    console.error(error instanceof Error ? error.message : error);
    await stop().finally(() => process.exit(1));
  }
}

async function startAll(box: Sandbox): Promise<void> {
  say(`API server       ${box.api.url}  (in memory; Kubernetes semantics, no kubelet)`);
  const exporter = peer('node-exporter');
  const workloads = ['node-a', 'node-b'].flatMap((node) =>
    ['frontend', 'cart', 'checkout'].map((app) => ({ app, node, namespace: 'shop' })),
  );
  await Promise.all([
    box.startOperator(),
    box.startAgent('node-a'),
    box.startAgent('node-b'),
    ...workloads.map((workload) => box.addWorkload(workload)),
    ...(exporter === undefined ? [] : [addNodeExporter(box, exporter)]),
  ]);
  for (const file of ['frontend-servicemonitor', 'cart-podmonitor', 'node-exporter-podmonitor']) {
    box.applyManifest(`${file}.yaml`);
  }
  say(`operator         ${box.operatorUrl}  (federates the agents; pid ${box.operator!.pid})`);
  for (const agent of box.agents.values()) {
    say(`agent ${agent.node}     ${agent.url}  (pid ${agent.process!.pid}, data in ${agent.dataDir})`);
  }
  say(`pods             ${workloads.map(({ app, node }) => `shop/${app}-${node}`).join(' ')}`);
  say(
    `node-exporter    ${exporter === undefined ? 'not installed (npm run peers gets it)' : 'monitoring/node-exporter-node-a'}`,
  );
  say(`all started after ${seconds()}; waiting for the first federated answer…`);
}

async function addNodeExporter(box: Sandbox, command: string): Promise<void> {
  await box.addWorkload({
    app: 'node-exporter',
    namespace: 'monitoring',
    node: 'node-a',
    portName: 'metrics',
    command: (port) => ({ command, args: [`--web.listen-address=127.0.0.1:${port}`] }),
  });
}

/** Asks until both jobs are in the answer, on both nodes. */
async function firstAnswer(box: Sandbox): Promise<Sample[]> {
  const deadline = Date.now() + FIRST_ANSWER_TIMEOUT_MS;
  while (Date.now() < deadline) {
    const samples = await ask(box).catch(() => []);
    if (samples.length >= FIRST_ANSWER_SERIES) return samples;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no federated answer within two minutes; the logs are in ${join(box.dir, 'logs')}`);
}

async function ask(box: Sandbox): Promise<Sample[]> {
  const url = `${box.operatorUrl}/api/v1/query?query=${encodeURIComponent(QUERY)}`;
  const body = (await (await fetch(url)).json()) as { data?: { result?: Sample[] } };
  return body.data?.result ?? [];
}

function printAnswer(samples: readonly Sample[]): void {
  say(`\nfirst federated answer after ${seconds()}:\n\n  ${QUERY}\n`);
  for (const { metric, value } of samples) {
    const labels = Object.entries(metric).map(([name, text]) => `${name}="${text}"`);
    say(`  {${labels.join(', ')}}  ${Number(value[1]).toFixed(2)}`);
  }
}

function printTour(box: Sandbox): void {
  const kubectl = `kubectl --server=${box.api.url}`;
  say(`
A short tour (Ctrl-C stops everything; data stays in ${box.dir}):

  ${kubectl} get servicemonitors,podmonitors,pods -A
  ${kubectl} apply -f test/sandbox/manifests/checkout-servicemonitor.yaml     # live in seconds
  curl -s '${box.operatorUrl}/api/v1/query' --data-urlencode 'query=sum by (job, node) (up)'
  curl -s '${box.operatorUrl}/api/v1/targets?state=active'
  ${kubectl} delete servicemonitor -n shop checkout

Any Prometheus client works against ${box.operatorUrl} (Grafana, promtool query instant).`);
}
