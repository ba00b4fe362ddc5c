/**
 * A whole small cluster on 127.0.0.1: an in-memory API server in this process, the operator and one agent per node as
 * processes of their own, and sample workloads as "pods". Used by `npm start` and by the integration tests.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { type ApiServer, startApiServer } from './apiserver/index.ts';
import { namespace, node, type KubeObject, pod, service } from './objects.ts';
import { freePort } from './ports.ts';
import { ManagedProcess } from './process.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const MANIFESTS = fileURLToPath(new URL('./manifests', import.meta.url));
export const PROMLET_NAMESPACE = 'promlet';
const CONFIG_SECRET = `${PROMLET_NAMESPACE}/promlet-agent-config`;
const AGENT_LABELS = { 'app.kubernetes.io/name': 'promlet', 'app.kubernetes.io/component': 'agent' };

export interface SandboxOptions {
  /** Keeps data directories, logs and the kubeconfig; data survives restarts. */
  readonly dir: string;
  readonly nodes?: readonly string[];
  /** Ports tried first. */
  readonly operatorPort?: number;
  readonly apiServerPort?: number;
}

/** An agent process of one node; it may be down. */
export interface SandboxAgent {
  readonly node: string;
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  process: ManagedProcess | undefined;
}

export interface WorkloadOptions {
  readonly app: string;
  readonly namespace: string;
  readonly node: string;
  /** Defaults to the koa shop of workloads/shop.ts. */
  readonly command?: (port: number) => { readonly command: string; readonly args: readonly string[] };
  readonly portName?: string;
}

export class Sandbox {
  readonly dir: string;
  readonly kubeconfigFile: string;
  readonly api: ApiServer;
  readonly agents = new Map<string, SandboxAgent>();
  readonly #nodes: readonly string[];
  readonly #workloads = new Map<string, ManagedProcess>();
  readonly #operatorPort: number;
  #operator: ManagedProcess | undefined;

  private constructor(options: SandboxOptions, api: ApiServer, operatorPort: number) {
    this.dir = options.dir;
    this.api = api;
    this.#nodes = options.nodes ?? ['node-a', 'node-b'];
    this.#operatorPort = operatorPort;
    this.kubeconfigFile = join(options.dir, 'kubeconfig.yaml');
  }

  /** An API server with the CRDs, namespaces and nodes; no program runs yet. */
  static async create(options: SandboxOptions): Promise<Sandbox> {
    mkdirSync(join(options.dir, 'logs'), { recursive: true });
    const api = await startApiServer({ port: await freePort(options.apiServerPort) });
    const sandbox = new Sandbox(options, api, await freePort(options.operatorPort));
    writeFileSync(sandbox.kubeconfigFile, api.kubeconfig());
    for (const name of [PROMLET_NAMESPACE, 'shop', 'monitoring']) api.apply(namespace(name));
    for (const name of sandbox.#nodes) api.apply(node(name));
    for (const object of readManifests(join(ROOT, 'crds'))) api.apply(object);
    return sandbox;
  }

  get operatorUrl(): string {
    return `http://127.0.0.1:${this.#operatorPort}`;
  }

  get operator(): ManagedProcess | undefined {
    return this.#operator;
  }

  async startOperator(): Promise<void> {
    this.#operator = await this.#program('operator', [
      `--kubeconfig=${this.kubeconfigFile}`,
      `--agent-config-secret=${CONFIG_SECRET}`,
      `--web.listen-address=127.0.0.1:${this.#operatorPort}`,
    ]);
    await this.#operator.waitUntilOk(`${this.operatorUrl}/-/healthy`);
  }

  async stopOperator(): Promise<void> {
    await this.#operator?.stop();
    this.#operator = undefined;
  }

  /** Starts (or restarts) the agent of a node on the same port and data directory, and waits until it is ready. */
  async startAgent(nodeName: string): Promise<SandboxAgent> {
    const known = this.agents.get(nodeName);
    const port = known?.port ?? (await freePort());
    const agent: SandboxAgent = known ?? {
      node: nodeName,
      port,
      url: `http://127.0.0.1:${port}`,
      dataDir: join(this.dir, 'data', nodeName),
      process: undefined,
    };
    this.agents.set(nodeName, agent);
    agent.process = await this.#program(
      'agent',
      [
        `--node-name=${nodeName}`,
        `--kubeconfig=${this.kubeconfigFile}`,
        `--kube.config-secret=${CONFIG_SECRET}`,
        `--storage.tsdb.path=${agent.dataDir}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      nodeName,
    );
    await agent.process.waitUntilOk(`${agent.url}/-/ready`);
    this.api.apply(
      pod({
        name: `promlet-agent-${nodeName}`,
        namespace: PROMLET_NAMESPACE,
        nodeName,
        labels: AGENT_LABELS,
        portName: 'web',
        port,
      }),
    );
    return agent;
  }

  agent(nodeName: string): SandboxAgent {
    const agent = this.agents.get(nodeName);
    if (agent === undefined) throw new Error(`the sandbox has no agent on ${nodeName}`);
    return agent;
  }

  /** Starts a workload process and writes its Pod and Service. @returns the pod's name */
  async addWorkload(options: WorkloadOptions): Promise<string> {
    const portName = options.portName ?? 'http';
    const name = `${options.app}-${options.node}`;
    const port = await freePort();
    const { command, args } = options.command?.(port) ?? this.#shop(options, port);
    const child = await ManagedProcess.start({ name, command, args, logFile: join(this.dir, 'logs', `${name}.log`) });
    this.#workloads.set(`${options.namespace}/${name}`, child);
    if (options.command === undefined) await child.waitForOutput(/listening (\d+)/);
    this.api.apply(service(options.app, options.namespace, portName));
    this.api.apply(
      pod({
        name,
        namespace: options.namespace,
        nodeName: options.node,
        labels: { app: options.app },
        portName,
        port,
      }),
    );
    return name;
  }

  /** Ends a workload and deletes its Pod. */
  async removeWorkload(inNamespace: string, name: string): Promise<void> {
    this.api.delete('v1', 'Pod', name, inNamespace);
    await this.#workloads.get(`${inNamespace}/${name}`)?.stop();
    this.#workloads.delete(`${inNamespace}/${name}`);
  }

  /** Applies the objects of a manifest file below test/sandbox/manifests. */
  applyManifest(file: string): void {
    for (const object of parseObjects(readFileSync(join(MANIFESTS, file), 'utf8'))) this.api.apply(object);
  }

  /** Stops every process by its pid, then the API server. @throws when a process had to be killed, after that */
  async close(): Promise<void> {
    const agents = [...this.agents.values()].map((agent) => agent.process);
    const processes = [...agents, ...this.#workloads.values(), this.#operator].filter((one) => one !== undefined);
    const stopping = processes.map((one) => one.stop());
    await Promise.allSettled(stopping);
    await this.api.close();
    await Promise.all(stopping);
  }

  #shop(options: WorkloadOptions, port: number): { command: string; args: string[] } {
    const seed = Buffer.from(options.app + options.node).reduce((sum, byte) => (sum * 31 + byte) >>> 0, 7);
    const script = join(ROOT, 'test', 'sandbox', 'workloads', 'shop.ts');
    return {
      command: process.execPath,
      args: [script, `--port=${port}`, `--name=${options.app}`, `--seed=${seed}`],
    };
  }

  #program(program: 'agent' | 'operator', args: readonly string[], suffix?: string): Promise<ManagedProcess> {
    const name = suffix === undefined ? program : `${program}-${suffix}`;
    return ManagedProcess.start({
      name,
      command: process.execPath,
      args: [join(ROOT, program, 'main.ts'), ...args],
      cwd: ROOT,
      logFile: join(this.dir, 'logs', `${name}.log`),
    });
  }
}

function readManifests(dir: string): KubeObject[] {
  const files = readdirSync(dir).filter((file) => file.endsWith('.yaml'));
  return files.flatMap((file) => parseObjects(readFileSync(join(dir, file), 'utf8')));
}

function parseObjects(text: string): KubeObject[] {
  return parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
}
