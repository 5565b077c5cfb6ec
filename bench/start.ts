/** What does a plugin server cost before its first request: the answer to Kong's query command, and memory? */
import { execFileSync } from "node:child_process";
import { LoadedServer, SERVERS } from "./load";
import { report } from "./report";
import { inTurns, ratios, spread, table } from "./rounds";

type Name = keyof typeof SERVERS;

async function cost(name: Name) {
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
	const names = Object.keys(SERVERS) as Name[];
	const rounds = await inTurns(names, cost);
	const rows = (["query", "memory"] as const).map((what) => {
		const columns = names.map((name) =>
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
		table(["", ...names, "dedicated / stock", "executable / stock"], rows),
	];
});
