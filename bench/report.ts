/** What the benchmarks have in common: their options, rounds of a measurement, and what is written of its figures. */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

/** The page that `--write` changes. */
export const README = join(__dirname, "README.md");

/** How many rounds a figure is the median of. */
export const ROUNDS = 5;

/** What the command line says. */
export const { values: flags, positionals: names } = parseArgs({
	options: {
		quick: { type: "boolean", default: false },
		write: { type: "boolean", default: false },
		// Of `compare`.
		before: { type: "string" },
		// Of `gateway`.
		configuration: { type: "string" },
		proxy: { type: "string" },
		process: { type: "string", multiple: true, default: [] as string[] },
	},
	allowPositionals: true,
});

/** An amount of work; a tenth of it with `--quick`. */
export function amount(wanted: number): number {
	return flags.quick ? wanted / 10 : wanted;
}

/**
 * Measures every side once a round, one after the other, so that whatever else the machine does meanwhile meets all of
 * them.
 *
 * @returns what each side measured, by round
 */
export async function inTurns<Side, Figures>(
	sides: readonly Side[],
	measure: (side: Side) => Figures | Promise<Figures>,
): Promise<Figures[][]> {
	const figures = sides.map((): Figures[] => []);
	for (let round = 0; round < amount(ROUNDS); round++)
		for (const [index, side] of sides.entries())
			figures[index]?.push(await measure(side));
	return figures;
}

/** The figure that a share of them is not above; 0.5 is the median. */
export function quantile(figures: readonly number[], share: number): number {
	const sorted = figures.toSorted((a, b) => a - b);
	return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
}

/** Median, least and greatest, e.g. `105 (98–131)`. */
export function spread(figures: readonly number[], digits = 0): string {
	const [median, least, most] = [
		quantile(figures, 0.5),
		Math.min(...figures),
		Math.max(...figures),
	].map((figure) =>
		figure.toLocaleString("en", {
			minimumFractionDigits: digits,
			maximumFractionDigits: digits,
		}),
	);
	return `${median} (${least}–${most})`;
}

/** One side as a share of the other, round by round. */
export function ratio(side: readonly number[], other: readonly number[]) {
	return spread(
		side.map((figure, round) => figure / (other[round] ?? Number.NaN)),
		2,
	);
}

/** A Markdown table. */
export function table(head: string[], rows: (string | number)[][]): string {
	const line = (cells: (string | number)[]) => `| ${cells.join(" | ")} |`;
	return [head, head.map(() => "---"), ...rows].map(line).join("\n");
}

/**
 * Runs a script's measurement and prints its tables; with `--write` also into the README, between the marks of the
 * script's name.
 *
 * @param name undefined: printed only
 * @param measure returns Markdown
 */
export async function report(
	name: string | undefined,
	measure: () => Promise<string[]>,
): Promise<void> {
	const block = [...(await measure()), machine()].join("\n\n");
	console.log(`${block}\n`);
	if (!flags.write || name === undefined) return;
	const [before = "", , after] = readFileSync(README, "utf8").split(
		new RegExp(`(?<=<!-- ${name} -->)|(?=<!-- /${name} -->)`),
	);
	if (after === undefined)
		throw new Error(`the README has no <!-- ${name} -->`);
	writeFileSync(README, `${before}\n${block}\n${after}`);
}

function machine(): string {
	const date = new Date().toISOString().slice(0, 10);
	const [processor] = cpus();
	return `(${date}, Node.js ${process.versions.node}, ${cpus().length} cores of ${processor?.model.trim()}.)`;
}
