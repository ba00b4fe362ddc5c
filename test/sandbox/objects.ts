/** Kubernetes objects of the sandbox: the parts of Nodes, Pods and Services that a kubelet and a user would write. */

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  readonly [field: string]: unknown;
}

export function namespace(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { 'kubernetes.io/metadata.name': name } } };
}

export function node(name: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name } },
    status: {
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  };
}

export interface PodOptions {
  readonly name: string;
  readonly namespace: string;
  readonly nodeName: string;
  readonly labels: Record<string, string>;
  readonly portName: string;
  readonly port: number;
}

/** A running, ready pod on 127.0.0.1: all sandbox pods share the address and differ by port. */
export function pod(options: PodOptions): KubeObject {
  const container = options.labels['app'] ?? 'main';
  const startedAt = new Date().toISOString();
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: options.name, namespace: options.namespace, labels: options.labels },
    spec: {
      nodeName: options.nodeName,
      containers: [
        {
          name: container,
          image: `promlet.test/${container}:sandbox`,
          ports: [{ name: options.portName, containerPort: options.port, protocol: 'TCP' }],
        },
      ],
    },
    status: {
      phase: 'Running',
      podIP: '127.0.0.1',
      podIPs: [{ ip: '127.0.0.1' }],
      hostIP: '127.0.0.1',
      startTime: startedAt,
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'ContainersReady', status: 'True' },
      ],
      containerStatuses: [
        {
          name: container,
          image: `promlet.test/${container}:sandbox`,
          imageID: `promlet.test/${container}@sandbox`,
          containerID: `sandbox://${options.name}`,
          ready: true,
          started: true,
          restartCount: 0,
          state: { running: { startedAt } },
        },
      ],
    },
  };
}

/** A Service whose port `portName` leads to the pods' container port of the same name. */
export function service(name: string, inNamespace: string, portName: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: inNamespace, labels: { app: name } },
    spec: {
      selector: { app: name },
      ports: [{ name: portName, port: 80, targetPort: portName, protocol: 'TCP' }],
    },
  };
}
