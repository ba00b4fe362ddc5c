/** `promlet-agent [flags]` serves; `promlet-agent tsdb …` works on a data directory and loads nothing of the server. */
import packageJson from '../package.json' with { type: 'json' };

const { version } = packageJson;
const args = process.argv.slice(2);

if (args[0] === 'tsdb') {
  const { runTsdb } = await import('./tsdb/index.ts');
  process.exitCode = await runTsdb(args.slice(1));
} else {
  const { serve } = await import('./serve.ts');
  await serve(args, version);
}
