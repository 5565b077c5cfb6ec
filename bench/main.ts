/**
 * Runs the benchmarks: `npm run bench [-- NAME…] [--write] [--quick]`. Each is a script beside this one, in a
 * process of its own; without names all but `compare` and the soak. `--write` also writes their tables and plots into the
 * README, `--quick` does a tenth of the work, to see that they run.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ONLY_NAMED, OPTIONS, SCRIPTS } from "./scripts";

const args = process.argv.slice(2);
const { positionals: names } = parseArgs({
	args,
	options: OPTIONS,
	allowPositionals: true,
});
const flags = args.filter((arg) => !names.includes(arg));
const unknown = names.find((name) => !SCRIPTS.includes(name));
if (unknown) {
	console.error(`no benchmark ${unknown}; there are ${SCRIPTS.join(", ")}`);
	process.exit(1);
}

const wanted =
	names.length > 0
		? names
		: SCRIPTS.filter((name) => !ONLY_NAMED.includes(name));
for (const script of ["build", "build:executable"])
	execFileSync("npm", ["run", "--silent", script], { stdio: "pipe" });
for (const name of wanted) {
	console.log(`== ${name}\n`);
	const script = join(__dirname, `${name}.ts`);
	const { status } = spawnSync(
		process.execPath,
		["--require", require.resolve("ts-node/register"), script, ...flags],
		{ stdio: "inherit" },
	);
	if (status !== 0) process.exit(1);
}
