/**
 * Runs the benchmarks: `npm run bench [-- NAME…] [--write] [--quick]`. Each is a script beside this one, in a process of
 * its own. Without names all run but those that need another commit's build or take long. `--write` puts the tables into
 * the README and draws the plots from it; `--quick` does a tenth of the work, to see that everything runs.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { drawPlots } from "./plots";
import { flags, names } from "./report";

const ALL = ["signing", "request", "growth", "gateway", "start", "workers"];

const scriptOf = (name: string) => join(__dirname, `${name}.ts`);

function main(): number {
	const wanted = names.length > 0 ? names : ALL;
	const unknown = wanted.find((name) => !existsSync(scriptOf(name)));
	if (unknown !== undefined) {
		console.error(
			`no benchmark ${unknown}: bench/${unknown}.ts does not exist`,
		);
		return 1;
	}
	for (const script of ["build", "build:executable"])
		execFileSync("npm", ["run", "--silent", script], { stdio: "pipe" });
	const options = process.argv.slice(2).filter((arg) => arg.startsWith("--"));
	for (const name of wanted) {
		console.log(`== ${name}\n`);
		const { status } = spawnSync(
			process.execPath,
			["-r", "ts-node/register", scriptOf(name), ...options],
			{ stdio: "inherit" },
		);
		if (status !== 0) return 1;
	}
	if (flags.write) drawPlots();
	return 0;
}

process.exitCode = main();
