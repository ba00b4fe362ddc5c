/** From `npm start` to the first federated answer, as a user would see it: `node test/sandbox/main.ts --once`. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** @returns seconds to the first federated answer, as the sandbox prints it */
export async function run(): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'promlet-startup-'));
  try {
    const command = [join(ROOT, 'test', 'sandbox', 'main.ts'), '--once', `--dir=${dir}`];
    const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: ROOT });
    return Number(/first federated answer after ([\d.]+) s/.exec(stdout)![1]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
