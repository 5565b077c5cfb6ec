/**
 * What does a request cost the plugin server, by the way the client authenticated and by what becomes of
 * it: CPU of the process, and latency from Kong's event to the end of the phase. The stock server and
 * the dedicated one take turns.
 */
import { testKey } from "../test/demo/flows";
import {
	clientToken,
	consumer,
	credentials,
	service,
} from "../test/plugins/x-custom-jwt/samples";
import { EXIT, type PdkAnswers, SET_HEADER } from "../test/pluginserver/client";
import { LoadedServer, type Next } from "./load";
import { amount, report } from "./report";
import { inTurns, ratios, spread, table } from "./rounds";

const CONNECTIONS = 8;

const entities: PdkAnswers = {
	"kong.client.get_consumer": consumer,
	"kong.router.get_service": service,
};
const METHODS = {
	"key-auth": { ...entities, "kong.client.get_credential": credentials.key },
	"basic-auth": {
		...entities,
		"kong.client.get_credential": credentials.basic,
	},
	jwt: {
		...entities,
		"kong.client.get_credential": credentials.jwt,
		"kong.ctx.shared.get": clientToken,
	},
};

// As Kong sends a plugin entry that is on a Service.
const withKey = (file: string) => ({
	private_jwk: testKey(file),
	service_id: service.id,
});
const es256 = withKey("ES256-jwk-private.json");
const OUTCOMES = {
	"fresh, RS256": withKey("RS256-jwk-private.json"),
	fresh: es256,
	reused: { ...es256, reuse_for: 600 },
	rejected: { ...es256, auth_methods: ["mtls"] },
};

const REQUESTS: [keyof typeof METHODS, keyof typeof OUTCOMES][] = [
	["key-auth", "fresh, RS256"],
	["key-auth", "fresh"],
	["key-auth", "reused"],
	["key-auth", "rejected"],
	["basic-auth", "fresh"],
	["basic-auth", "reused"],
	["basic-auth", "rejected"],
	["jwt", "fresh"],
	["jwt", "reused"],
	["jwt", "rejected"],
];

/** Starts an instance and warms it up. */
async function prepare(server: LoadedServer, [method, outcome]: Request) {
	const answers = METHODS[method];
	const instance = await server.startInstance(OUTCOMES[outcome]);
	const next: Next = () => [instance, answers];
	const limit = { seconds: amount(0.25) };
	await server.run(next, limit);
	const calls = await server.clients[0]?.runPhase(instance, answers);
	const end = outcome === "rejected" ? EXIT : SET_HEADER;
	if (calls?.at(-1)?.Method !== end)
		throw new Error(`${method}, ${outcome}: ${calls?.at(-1)?.Method}`);
	return {
		calls: calls.length,
		measure: async () => {
			// The CPU of a server that is busy, the latency of a request that waits for no other.
			const { cpu } = await server.run(next, limit);
			const { p50, p99 } = await server.run(next, limit, 1);
			return { cpu, p50, p99 };
		},
	};
}

type Request = (typeof REQUESTS)[number];

report("request", async () => {
	const stock = await LoadedServer.start("stock", CONNECTIONS);
	const dedicated = await LoadedServer.start("dedicated", CONNECTIONS);
	const costs: string[][] = [];
	const latencies: string[][] = [];
	for (const request of REQUESTS) {
		const sides = [
			await prepare(stock, request),
			await prepare(dedicated, request),
		];
		const rounds = await inTurns(sides, (side) => side.measure());
		const [ofStock = [], ofDedicated = []] = rounds.values();
		const columns = (name: "cpu" | "p50" | "p99") => [
			ofStock.map((figures) => figures[name]),
			ofDedicated.map((figures) => figures[name]),
		];
		const [cpuOfStock = [], cpuOfDedicated = []] = columns("cpu");
		const name = request.join(", ");
		const calls = sides.map(({ calls }) => calls);
		costs.push([
			name,
			[...new Set(calls)].join(" / "),
			spread(cpuOfStock),
			spread(cpuOfDedicated),
			spread(ratios(cpuOfDedicated, cpuOfStock), 2),
		]);
		latencies.push([
			name,
			...columns("p50").map((figures) => spread(figures)),
			...columns("p99").map((figures) => spread(figures)),
		]);
	}
	await stock.stop();
	await dedicated.stop();
	return [
		table(
			["CPU, µs per request", "PDK calls", "stock", "dedicated", "ratio"],
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
