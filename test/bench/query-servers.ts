/** Servers on the same samples of query-data.ts, and how they are asked. */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { type Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Contender, dataDirOf, Server } from './contenders.ts';
import type { QueryCase } from './query-cases.ts';
import { type QueryShape, SERIES_PER_INSTANCE, writeQueryData } from './query-data.ts';
import { importQueryData } from './victoria-metrics-data.ts';

export interface QuerySize {
  /** 200 series each. */
  readonly instances: number;
  /** Every 15 s. */
  readonly scrapes: number;
}

const STEP_MS = 15_000;
/** A multiple of every block's length. */
const START_MS = 1_699_920_000_000;

/**
 * Starts all contenders, each on its own copy of the data, and stops them afterwards. Those that read blocks get a copy of
 * one block; into others its samples are imported.
 * @param use `endSeconds`: when the data end
 */
export async function withQueryServers<T>(
  size: QuerySize,
  contenders: readonly Contender[],
  use: (servers: readonly Server[], endSeconds: number) => Promise<T>,
): Promise<T> {
  const shape: QueryShape = { ...size, stepMs: STEP_MS, startMs: START_MS };
  const endSeconds = (START_MS + size.scrapes * STEP_MS) / 1000;
  const dir = mkdtempSync(join(tmpdir(), 'promlet-queries-'));
  const data = join(dir, 'written');
  mkdirSync(data);
  const servers: Server[] = [];
  try {
    await writeQueryData({ dir: data, ...shape });
    for (const contender of contenders) {
      const own = join(dir, contender.name.replaceAll(' ', '-'));
      mkdirSync(own);
      if (contender.readsBlocks) cpSync(data, dataDirOf(own), { recursive: true });
      else await importQueryData(contender, own, shape);
      const server = await Server.start(contender, own);
      servers.push(server);
      await server.ready();
      const found = await server.scalar('count({__name__=~".+"})', endSeconds);
      const expected = size.instances * SERIES_PER_INSTANCE;
      if (found !== expected) throw new Error(`${contender.name} has ${found} of ${expected} series`);
    }
    return await use(servers, endSeconds);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * The body of an answer, asked for as it is: compressing costs all about the same.
 * @throws when it is not one of status 200
 */
export function ask(
  server: Server,
  { path, params }: Pick<QueryCase, 'path' | 'params'>,
  agent: Agent,
): Promise<Buffer> {
  // VictoriaMetrics would answer from its cache, and at times that it aligns for it; the others do not know the parameter.
  const form = new URLSearchParams({ ...params, nocache: '1' });
  const url = `${server.url}/api/v1/${path}?${form.toString()}`;
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.once('error', reject);
      response.once('end', () => {
        const body = Buffer.concat(pieces);
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`${url}: ${response.statusCode} ${body.toString('utf8', 0, 500)}`));
      });
    }).once('error', (error) => {
      reject(new Error(`${server.contender.name}: ${url}: ${error.message}`, { cause: error }));
    });
  });
}
