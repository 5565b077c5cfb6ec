/**
 * What does a request through the local gateway cost, from the client's side: without the plugin, with it,
 * with its tokens reused, and with ES256? On the dedicated plugin server.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import autocannon from "autocannon";
import { startDemo } from "../local/demo/demo";
import { testKey } from "../local/demo/flows";
import { loadDeclarative, type ServedRoute } from "../local/gateway/entities";
import { stderrLog } from "../local/gateway/log";
import { SERVERS } from "./load";
import { cpuMicroseconds } from "./proc";
import { amount, report } from "./report";
import { inTurns, ratios, spread, table } from "./rounds";

const CONNECTIONS = 32;

/** How each side's configuration of the plugin differs from kong.yml's; one is without the plugin. */
const SIDES = {
	"no plugin": undefined,
	RS256: {},
	"RS256, reused": { reuse_for: 600 },
	ES256: { private_jwk: testKey("ES256-jwk-private.json") },
};

type Side = keyof typeof SIDES;

const pathOf = (side: Side) => `/${encodeURIComponent(side)}`;

/** The route with key-auth, at a path of the side's. */
function routeOf(side: Side, route: ServedRoute): ServedRoute {
	const config = SIDES[side];
	return {
		...route,
		entity: { ...route.entity, paths: [pathOf(side)] },
		plugins: route.plugins.flatMap((plugin) => {
			// Without the guard, whose Lua costs more here than in Kong.
			if (plugin.name.endsWith("-function")) return [];
			if (plugin.name !== "x-custom-jwt") return [plugin];
			if (!config) return [];
			const id = `${plugin.id} ${side}`;
			return [{ ...plugin, id, config: { ...plugin.config, ...config } }];
		}),
	};
}

report("gateway", async () => {
	// Verifies nothing: what a backend does with a token is not the question.
	const backend = createServer((_, response) => response.end("ok"));
	backend.listen(0, "localhost");
	await once(backend, "listening");
	const configuration = loadDeclarative(["kong.yml"]);
	const sides = Object.keys(SIDES) as Side[];
	const demo = await startDemo({
		configuration: {
			...configuration,
			routes: configuration.routes
				.filter(({ entity }) => entity.name === "apiKey")
				.flatMap((route) => sides.map((side) => routeOf(side, route))),
		},
		resolve: [
			["httpbin:9000", `localhost:${(backend.address() as AddressInfo).port}`],
		],
		log: stderrLog("warn"),
		pluginServerCommand: SERVERS.dedicated,
	});
	const load = async (side: Side) => {
		const pid = demo.pluginServer.pid ?? 0;
		const before = cpuMicroseconds(pid);
		const { requests, latency, duration, non2xx, errors } = await autocannon({
			url: demo.gateway.httpUrl + pathOf(side),
			headers: { apikey: "012345AZERTY!" },
			connections: CONNECTIONS,
			// In a thread of its own.
			workers: 1,
			duration: amount(1.2),
		});
		if (non2xx + errors > 0)
			throw new Error(`${side}: ${non2xx + errors} requests failed`);
		return {
			requests: requests.total / duration,
			p50: latency.p50,
			p99: latency.p99,
			p999: latency.p99_9,
			cpu: (cpuMicroseconds(pid) - before) / requests.total,
		};
	};
	for (const side of sides) await load(side);
	const rounds = await inTurns(sides, load);
	await demo.close();
	backend.close();
	backend.closeAllConnections();

	const column = (side: Side, name: keyof Awaited<ReturnType<typeof load>>) =>
		(rounds.get(side) ?? []).map((round) => round[name]);
	return [
		table(
			[
				"",
				"requests/s",
				"ratio to no plugin",
				"p50, ms",
				"p99, ms",
				"p99.9, ms",
				"plugin server CPU, µs/request",
			],
			sides.map((side) => [
				side,
				spread(column(side, "requests")),
				spread(
					ratios(column(side, "requests"), column("no plugin", "requests")),
					2,
				),
				spread(column(side, "p50")),
				spread(column(side, "p99")),
				spread(column(side, "p999")),
				SIDES[side] ? spread(column(side, "cpu")) : "",
			]),
		),
	];
});
