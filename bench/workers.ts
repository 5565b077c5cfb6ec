/**
 * How do tokens per second grow with a second process (`--workers 2`) when frames are the only load, and what memory does
 * each process have? The load is recorded frames, so that most of both cores is the server's.
 */
import { SERVERS } from "./load";
import { type Plot, plot } from "./plot";
import { OUTCOMES, ReplayedServer } from "./replayed-server";
import { amount, report } from "./report";
import { inTurns, quantile, ratios, spread, table } from "./rounds";

const CONNECTIONS = 16;
const SECONDS = amount(2);
const COUNTS = [1, 2];

report("workers", async () => {
	const rows = [];
	const lines: Plot["lines"] = [];
	for (const [name, config] of Object.entries(OUTCOMES)) {
		const sides = [];
		for (const count of COUNTS) {
			const command = [...SERVERS.dedicated, "--workers", `${count}`];
			sides.push(await ReplayedServer.start(command, config, CONNECTIONS));
		}
		// Warm.
		for (const side of sides) await side.run(SECONDS);
		const rounds = await inTurns(sides, (side) => side.run(SECONDS));
		const [one = [], two = []] = sides.map((side) => rounds.get(side) ?? []);
		const column = (of: "tokens" | "cpu" | "least", digits = 0) =>
			[one, two].map((figures) =>
				spread(
					figures.map((f) => f[of]),
					digits,
				),
			);
		rows.push([
			name,
			...column("tokens"),
			spread(
				ratios(
					two.map(({ tokens }) => tokens),
					one.map(({ tokens }) => tokens),
				),
				2,
			),
			...column("cpu"),
			column("least", 2)[1] ?? "",
			[one, two]
				.map((figures) =>
					(figures.at(-1)?.memory ?? []).map(Math.round).join(" + "),
				)
				.join(", "),
		]);
		lines.push({
			name,
			points: [one, two].map((figures, index): [number, number] => [
				COUNTS[index] ?? 0,
				quantile(
					figures.map(({ tokens }) => tokens),
					0.5,
				),
			]),
		});
		for (const side of sides) await side.stop();
	}
	return [
		table(
			[
				`${CONNECTIONS} connections`,
				"tokens/s, 1 process",
				"2 processes",
				"ratio",
				"CPU, µs/token, 1 process",
				"2 processes",
				"share of the less busy",
				"memory, MB",
			],
			rows,
		),
		plot("workers", {
			title: "Tokens per second against workers, on two cores",
			x: { name: "workers", type: "category" },
			y: { name: "tokens/s", type: "value" },
			lines,
		}),
	];
});
