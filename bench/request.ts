/**
 * What does a request cost the plugin server, by the way the client authenticated and by what becomes of it: CPU of the
 * process, and latency from Kong's event to the end of the phase? The stock server and the dedicated one take turns.
 */
import { amount, inTurns, ratio, report, spread, table } from "./report";
import {
	LoadedServer,
	type Next,
	OUTCOMES,
	withApiKey,
	withKey,
	withToken,
} from "./servers";

const CONNECTIONS = 8;
/** Of a round. */
const LIMIT = { seconds: amount(0.2) };

const METHODS = {
	"key-auth": withApiKey,
	jwt: withToken({ sub: "alice", scope: "orders:read" }),
};
const CONFIGS = {
	...OUTCOMES,
	"fresh, HS256": withKey("HS256"),
	rejected: withKey("ES256", { auth_methods: ["mtls"] }),
};

const REQUESTS: [keyof typeof METHODS, keyof typeof CONFIGS][] = [
	["key-auth", "fresh, RS256"],
	["key-auth", "fresh, ES256"],
	["key-auth", "fresh, HS256"],
	["key-auth", "reused"],
	["key-auth", "rejected"],
	["jwt", "fresh, ES256"],
	["jwt", "reused"],
	["jwt", "rejected"],
];

report("request", async () => {
	const servers = [
		await LoadedServer.start("stock"),
		await LoadedServer.start("dedicated"),
	];
	const costs: string[][] = [];
	const latencies: string[][] = [];
	for (const [method, outcome] of REQUESTS) {
		const sides: { server: LoadedServer; next: Next }[] = [];
		for (const server of servers) {
			const instance = await server.startInstance(CONFIGS[outcome]);
			const next: Next = () => [instance, METHODS[method]];
			await server.run(next, CONNECTIONS, LIMIT);
			const exit = await server.rpc.handleEvent(...next());
			if ((exit === undefined) === (outcome === "rejected"))
				throw new Error(`${method}, ${outcome}: ${JSON.stringify(exit)}`);
			sides.push({ server, next });
		}
		// The CPU of a server that is busy, the latency of a request that waits for no other.
		const [stock = [], dedicated = []] = await inTurns(
			sides,
			async ({ server, next }) => ({
				...(await server.run(next, 1, LIMIT)),
				cpu: (await server.run(next, CONNECTIONS, LIMIT)).cpu,
			}),
		);
		const column = (rounds: typeof stock, what: "cpu" | "p50" | "p99") =>
			rounds.map((round) => round[what]);
		const [old, now] = [column(stock, "cpu"), column(dedicated, "cpu")];
		const name = `${method}, ${outcome}`;
		costs.push([name, spread(old), spread(now), ratio(now, old)]);
		// Those of the jwt plugin hardly differ.
		if (method === "key-auth")
			latencies.push([
				name,
				...(["p50", "p99"] as const).flatMap((what) => [
					spread(column(stock, what)),
					spread(column(dedicated, what)),
				]),
			]);
	}
	for (const server of servers) await server.stop();
	const head = ["p50 stock", "p50 dedicated", "p99 stock", "p99 dedicated"];
	return [
		table(["CPU, µs/request", "stock", "dedicated", "ratio"], costs),
		table(["latency, µs", ...head], latencies),
	];
});
