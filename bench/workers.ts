/** How do tokens per second grow with a second process (`--workers 2`), and what memory does each process have? */
import { ReplayedServer } from "./replay";
import { amount, inTurns, ratio, report, spread, table } from "./report";
import { OUTCOMES, SERVERS } from "./servers";

const CONNECTIONS = 16;
const SECONDS = amount(2);

report("workers", async () => {
	const rows: string[][] = [];
	for (const [name, config] of Object.entries(OUTCOMES)) {
		const sides: ReplayedServer[] = [];
		for (const count of ["1", "2"]) {
			const command = [...SERVERS.dedicated, "--workers", count];
			sides.push(await ReplayedServer.start(command, config, CONNECTIONS));
		}
		for (const side of sides) await side.run(SECONDS);
		const [one = [], two = []] = await inTurns(sides, (side) =>
			side.run(SECONDS),
		);
		for (const side of sides) await side.stop();
		const memory = [one, two].map((runs) =>
			runs.at(-1)?.memory.map(Math.round).join(" + "),
		);
		const [tokensOfOne, tokensOfTwo] = [one, two].map((runs) =>
			runs.map(({ tokens }) => tokens),
		) as [number[], number[]];
		rows.push([
			name,
			spread(tokensOfOne),
			spread(tokensOfTwo),
			ratio(tokensOfTwo, tokensOfOne),
			...[one, two].map((runs) => spread(runs.map(({ cpu }) => cpu))),
			spread(
				two.map(({ least }) => least),
				2,
			),
			memory.join(", "),
		]);
	}
	const head = [
		`${CONNECTIONS} connections`,
		"tokens/s, 1 process",
		"2 processes",
		"ratio",
		"CPU, µs/token, 1 process",
		"2 processes",
		"share of the less busy",
		"memory, MB",
	];
	return [table(head, rows)];
});
