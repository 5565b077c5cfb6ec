/** Rounds of a measurement, and what is said of their figures. */

import { amount } from "./report";

/** How many rounds a figure is the median of. */
export const ROUNDS = 5;

/**
 * Measures every side once a round, one after the other, so that whatever else the machine does
 * meanwhile meets all of them.
 *
 * @returns what each side measured, by round
 */
export async function inTurns<Side, Figures>(
	sides: readonly Side[],
	measure: (side: Side, round: number) => Figures | Promise<Figures>,
): Promise<Map<Side, Figures[]>> {
	const figures = new Map<Side, Figures[]>(sides.map((side) => [side, []]));
	for (let round = 0; round < amount(ROUNDS); round++)
		for (const side of sides)
			figures.get(side)?.push(await measure(side, round));
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
export function ratios(
	side: readonly number[],
	other: readonly number[],
): number[] {
	return side.map((figure, round) => figure / (other[round] ?? Number.NaN));
}

/** A Markdown table. */
export function table(head: string[], rows: (string | number)[][]): string {
	const line = (cells: (string | number)[]) => `| ${cells.join(" | ")} |`;
	return [line(head), line(head.map(() => "---")), ...rows.map(line)].join(
		"\n",
	);
}
