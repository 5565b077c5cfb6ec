/**
 * What does a request cost the plugin server, by the way the client authenticated and by what becomes of
 * it: CPU of the process, and latency from Kong's event to the end of the phase. The stock server and
 * the dedicated one take turns.
 */
import { testKey } from "../local/demo/flows";
import { EXIT, SET_HEADER } from "../test/support/client";
import { requests, service } from "../test/support/samples";
import { LoadedServer, type Next } from "./load";
import { amount, report } from "./report";
import { inTurns, ratios, spread, table } from "./rounds";

const CONNECTIONS = 8;
/** Of a round. */
const LIMIT = { seconds: amount(0.2) };

const METHODS = {
	"key-auth": requests.key,
	jwt: requests.jwt,
};

// As Kong sends a plugin entry that is on a Service.
const withKey = (file: string) => ({
	private_jwk: testKey(file),
	service_id: service.id,
});
const es256 = withKey("ES256-jwk-private.json");
const OUTCOMES = {
	"fresh, HS256": withKey("HS256-jwk.json"),
	"fresh, RS256": withKey("RS256-jwk-private.json"),
	fresh: es256,
	reused: { ...es256, reuse_for: 600 },
	rejected: { ...es256, auth_methods: ["mtls"] },
};

type Method = keyof typeof METHODS;
type Outcome = keyof typeof OUTCOMES;

const REQUESTS: [Method, Outcome][] = [
	["key-auth", "fresh, RS256"],
	["key-auth", "fresh"],
	["key-auth", "reused"],
	["key-auth", "rejected"],
	["jwt", "fresh"],
	["jwt", "reused"],
	["jwt", "rejected"],
];

/** Starts an instance, warms it up, and sees that its requests end as they should. */
async function prepare(server: LoadedServer, method: Method, outcome: Outcome) {
	const request = METHODS[method];
	const instance = await server.startInstance(OUTCOMES[outcome]);
	const next: Next = () => [instance, request];
	await server.run(next, LIMIT);
	const calls = (await server.clients[0]?.runPhase(instance, request)) ?? [];
	const end = calls.at(-1)?.method;
	if (end !== (outcome === "rejected" ? EXIT : SET_HEADER))
		throw new Error(`${method}, ${outcome}: ended with ${end}`);
	return { server, next, calls: calls.length };
}

interface Figures {
	/** PDK calls of a request. */
	calls: number;
	/** By round, in microseconds. */
	cpu: number[];
	p50: number[];
	p99: number[];
}

/** What the same requests cost several servers, in turns. */
async function compare<Name extends string>(
	servers: Record<Name, LoadedServer>,
	method: Method,
	outcome: Outcome,
): Promise<Record<Name, Figures>> {
	const sides = [];
	for (const [name, server] of Object.entries<LoadedServer>(servers))
		sides.push({ name, ...(await prepare(server, method, outcome)) });
	const rounds = await inTurns(sides, async ({ server, next }) => {
		// The CPU of a server that is busy, the latency of a request that waits for no other.
		const { cpu } = await server.run(next, LIMIT);
		const { p50, p99 } = await server.run(next, LIMIT, 1);
		return { cpu, p50, p99 };
	});
	const figures = [...rounds].map(([{ name, calls }, costs]) => [
		name,
		{
			calls,
			cpu: costs.map(({ cpu }) => cpu),
			p50: costs.map(({ p50 }) => p50),
			p99: costs.map(({ p99 }) => p99),
		},
	]);
	return Object.fromEntries(figures);
}

/** The CPU of a server's requests beside that of the stock server's. */
function costRow(name: string, stock: Figures, server: Figures): string[] {
	return [
		name,
		[...new Set([stock.calls, server.calls])].join(" / "),
		spread(stock.cpu),
		spread(server.cpu),
		spread(ratios(server.cpu, stock.cpu), 2),
	];
}

report("request", async () => {
	const servers = {
		stock: await LoadedServer.start("stock", CONNECTIONS),
		dedicated: await LoadedServer.start("dedicated", CONNECTIONS),
	};
	const costs: string[][] = [];
	const latencies: string[][] = [];
	for (const [method, outcome] of REQUESTS) {
		const { stock, dedicated } = await compare(servers, method, outcome);
		const name = `${method}, ${outcome}`;
		costs.push(costRow(name, stock, dedicated));
		// Of the others it is hardly another.
		if (method === "key-auth")
			latencies.push([
				name,
				spread(stock.p50),
				spread(dedicated.p50),
				spread(stock.p99),
				spread(dedicated.p99),
			]);
	}
	const floor = await LoadedServer.start("floor", CONNECTIONS);
	const withFloor = await compare(
		{ ...servers, floor },
		"key-auth",
		"fresh, HS256",
	);
	const { stock } = withFloor;
	costs.push(
		costRow("key-auth, fresh, HS256", stock, withFloor.dedicated),
		costRow("the same, floor", stock, withFloor.floor),
	);
	for (const server of [...Object.values(servers), floor]) await server.stop();
	return [
		table(
			["CPU, µs/request", "PDK calls", "stock", "dedicated", "ratio"],
			costs,
		),
		table(
			[
				"latency, µs",
				"p50 stock",
				"p50 dedicated",
				"p99 stock",
				"p99 dedicated",
			],
			latencies,
		),
	];
});
