/** What does a plugin server cost before its first request: the answer to Kong's query command, and memory? */
import { execFileSync } from "node:child_process";
import { LoadedServer, SERVERS } from "./load";
import { report } from "./report";
import { inTurns, ratios, spread, table } from "./rounds";

const NAMES = ["stock", "dedicated", "executable"] as const;

async function cost(name: (typeof NAMES)[number]) {
	const [program = "", ...args] = SERVERS[name];
	const started = performance.now();
	execFileSync(program, [...args, "--dump-all-plugins"]);
	const query = performance.now() - started;
	const server = await LoadedServer.start(name, 0);
	const { memory } = server;
	await server.stop();
	return { query, memory };
}

report("start", async () => {
	const rounds = await inTurns(NAMES, cost);
	const rows = (["query", "memory"] as const).map((what) => {
		const columns = NAMES.map((name) =>
			(rounds.get(name) ?? []).map((round) => round[what]),
		);
		const [stock = [], dedicated = [], executable = []] = columns;
		return [
			what === "query" ? "query command, ms" : "idle memory, MB",
			...columns.map((figures) => spread(figures)),
			spread(ratios(dedicated, stock), 2),
			spread(ratios(executable, stock), 2),
		];
	});
	return [
		table(["", ...NAMES, "dedicated / stock", "executable / stock"], rows),
	];
});
