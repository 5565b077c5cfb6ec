import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { OPTIONS } from "./scripts";

const README = join(__dirname, "README.md");

const { values: flags } = parseArgs({ options: OPTIONS });

/** An option of one script. */
export function option(
	name: "before" | "configuration" | "proxy",
): string | undefined {
	return flags[name];
}

/** All values of an option that may come several times. */
export function options(name: "process"): string[] {
	return flags[name];
}

/** Whether the README and its plots are written. */
export const isWriting = flags.write;

/** An amount of work, a tenth of it with `--quick`, which is to see that a script works. */
export function amount(wanted: number): number {
	return flags.quick ? wanted / 10 : wanted;
}

/**
 * Runs a script's measurement and prints its tables; with `--write` also into the README, between the
 * marks of the script's name.
 *
 * @param name undefined: printed only
 * @param measure gives Markdown
 */
export async function report(
	name: string | undefined,
	measure: () => Promise<string[]>,
): Promise<void> {
	const block = [...(await measure()), machine()].join("\n\n");
	console.log(`${block}\n`);
	if (!isWriting || name === undefined) return;
	const [before, after] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
	const readme = readFileSync(README, "utf8");
	const start = readme.indexOf(before) + before.length;
	const end = readme.indexOf(after);
	if (start < before.length || end < start)
		throw new Error(`bench/README.md has no ${before}…${after}`);
	writeFileSync(
		README,
		`${readme.slice(0, start)}\n${block}\n${readme.slice(end)}`,
	);
}

function machine(): string {
	const date = new Date().toISOString().slice(0, 10);
	const [processor] = cpus();
	return `(${date}, Node.js ${process.versions.node}, ${cpus().length} cores of ${processor?.model.trim()}.)`;
}
