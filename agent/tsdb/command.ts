import { tmpdir } from 'node:os';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { nodeFileSystem, systemClock, systemRandom } from '../../lib/env/index.ts';
import { errorMessage, parseDuration, PromletError } from '../../lib/model/index.ts';
import { analyzeBlock } from './analyze.ts';
import { createBlocks } from './create-blocks.ts';
import { dumpOpenMetrics, dumpSamples, dumpSeries } from './dump.ts';
import { DescriptorOutput, type TsdbHost } from './host.ts';
import { listBlocks } from './list.ts';
import { verify } from './verify.ts';

const DEFAULT_DIR = 'data/';
const EVERYTHING = "{__name__=~'(?s:.*)'}";

/**
 * `promlet-agent tsdb …`: promtool's tsdb commands with its flags and its output (cmd/promtool/{main,tsdb,backfill}.go of
 * Prometheus 3.15), and `verify`.
 * @param args behind `tsdb`
 * @returns the exit status
 */
export async function runTsdb(args: readonly string[], host: TsdbHost = systemHost()): Promise<number> {
  let status = 0;
  const command = tsdbCommand(host, (code) => (status = code));
  try {
    await command.parseAsync(args, { from: 'user' });
    host.out.flush();
  } catch (error) {
    status = reportError(error, host);
  }
  host.err.flush();
  return status;
}

function systemHost(): TsdbHost {
  return {
    fileSystem: nodeFileSystem,
    clock: systemClock,
    random: systemRandom,
    out: new DescriptorOutput(nodeFileSystem, 1),
    err: new DescriptorOutput(nodeFileSystem, 2),
    tempDir: tmpdir(),
  };
}

function reportError(error: unknown, host: TsdbHost): number {
  if (error instanceof CommanderError) {
    // Help was asked for, or a wrong flag complained of: both are written already.
    host.out.flush();
    return error.exitCode;
  }
  // The reader of our output went away, as `head` does: nobody is left to tell.
  if (error instanceof Error && 'code' in error && error.code === 'EPIPE') return 1;
  const outside = error instanceof PromletError || (error instanceof Error && 'syscall' in error);
  host.err.write(`${outside || !(error instanceof Error) ? errorMessage(error) : error.stack}\n`);
  return 1;
}

function tsdbCommand(host: TsdbHost, exitWith: (status: number) => void): Command {
  const tsdb = new Command('promlet-agent tsdb').description('Works on a TSDB data directory.');
  tsdb.configureOutput({ writeOut: (text) => host.out.write(text), writeErr: (text) => host.err.write(text) });
  tsdb.exitOverride();
  const add = (name: string, description: string, parent = tsdb): Command => {
    const command = parent.command(name).description(description).allowExcessArguments(false);
    return command.copyInheritedSettings(tsdb);
  };

  add('list', 'List the blocks.')
    .option('-r, --human-readable', 'print times and sizes for people', false)
    .argument('[db path]', 'data directory', DEFAULT_DIR)
    .action((dir: string, flags: { humanReadable: boolean }) => listBlocks(host, dir, flags.humanReadable));

  add('analyze', 'Analyze churn, label pair cardinality and how well chunks are filled.')
    .option('--limit <count>', 'how many items each list shows', parseInteger, 20)
    .option('--extended', 'look into the chunks too', false)
    .option('--match <selector>', 'look at the series of this selector only', '')
    .argument('[db path]', 'data directory', DEFAULT_DIR)
    .argument('[block id]', 'the block to analyze (default: the last one written)')
    .action((dir: string, block: string | undefined, flags: { limit: number; extended: boolean; match: string }) =>
      analyzeBlock(host, dir, block, flags),
    );

  addDump(add('dump', 'Print the samples of blocks and log, or just the series.'))
    .addOption(new Option('--format <format>', 'what to print').choices(['prom', 'seriesjson']).default('prom'))
    .action((dir: string, flags: DumpFlags & { format: string }) =>
      (flags.format === 'seriesjson' ? dumpSeries : dumpSamples)(host, dir, selectionOf(flags)),
    );

  addDump(
    add('dump-openmetrics', 'Print the samples as OpenMetrics text, without native histograms and stale markers.'),
  ).action((dir: string, flags: DumpFlags) => dumpOpenMetrics(host, dir, selectionOf(flags)));

  const createFrom = add('create-blocks-from', 'Write blocks from samples in another format.')
    .option('-r, --human-readable', 'print times and sizes for people', false)
    .option('-q, --quiet', 'do not print the blocks, nor the progress', false)
    .addOption(
      new Option('--max-block-duration <duration>', 'blocks span at most this much; below 2h it says nothing')
        .argParser(toDurationMs)
        .default(0, '2h'),
    );
  add('openmetrics', 'Write blocks from OpenMetrics text.', createFrom)
    .option('--label <name=value>', 'label to add to all series; can be repeated', addLabel, new Map<string, string>())
    .argument('<input file>', 'OpenMetrics text')
    .argument('[output directory]', 'where the blocks go', DEFAULT_DIR)
    .action((input: string, dir: string, _flags: unknown, self: Command) =>
      createBlocks(host, input, dir, self.optsWithGlobals()),
    );

  add('verify', 'Read every byte of a data directory and report what is damaged. Changes nothing.')
    .argument('[db path]', 'data directory', DEFAULT_DIR)
    .action(async (dir: string) => exitWith(await verify(host, dir)));
  return tsdb;
}

interface DumpFlags {
  readonly sandboxDirRoot?: string;
  readonly minTime: number;
  readonly maxTime: number;
  readonly match: readonly string[];
}

function addDump(command: Command): Command {
  return command
    .option('--sandbox-dir-root <dir>', 'where scratch files would go; none are needed')
    .option('--min-time <ms>', 'first time, in milliseconds since 1970', parseInteger, -Infinity)
    .option('--max-time <ms>', 'last time, in milliseconds since 1970', parseInteger, Infinity)
    .option('--match <selector>', 'series selector; can be repeated', append, [] as readonly string[])
    .argument('[db path]', 'data directory', DEFAULT_DIR);
}

function selectionOf(flags: DumpFlags): { minTimeMs: number; maxTimeMs: number; selectors: readonly string[] } {
  const selectors = flags.match.length === 0 ? [EVERYTHING] : flags.match;
  return { minTimeMs: flags.minTime, maxTimeMs: flags.maxTime, selectors };
}

function append(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function addLabel(text: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const equal = text.indexOf('=');
  if (equal < 0) throw new InvalidArgumentError('not NAME=VALUE');
  return new Map(before).set(text.slice(0, equal), text.slice(equal + 1));
}

function parseInteger(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw new InvalidArgumentError('not a whole number');
  return Number(text);
}

function toDurationMs(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new InvalidArgumentError(errorMessage(error));
  }
}
