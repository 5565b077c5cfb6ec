/**
 * What does a request through a gateway cost, from the client's side: key-auth alone, with each algorithm, and with
 * tokens reused? On the local gateway with the dedicated plugin server, or on any other:
 *   npm run bench -- gateway --configuration=bench.yml                       writes what it is to run
 *   npm run bench -- gateway --proxy=http://localhost:8000 --process=nginx: worker --process=pluginserver
 */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import autocannon from "autocannon";
import { startDemo } from "../local/demo/demo";
import { testKey } from "../local/demo/flows";
import { parseDeclarative } from "../local/gateway/entities";
import { stderrLog } from "../local/gateway/log";
import { close } from "../local/http";
import { SERVERS } from "./load";
import { cpuMicroseconds, processesNamed } from "./proc";
import { amount, option, options, report } from "./report";
import { inTurns, ratios, spread, table } from "./rounds";

const CONNECTIONS = 32;
const API_KEY = "an API key of the benchmark";
/** Where the gateway finds the backend, which this script is. */
const BACKEND_PORT = 9100;

const key = (name: string) => testKey(`${name}-jwk-private.json`);

/** The plugin's configuration on each side; one is without the plugin. */
const SIDES: Record<string, object | undefined> = {
	"no plugin": undefined,
	RS256: { private_jwk: key("RS256") },
	ES256: { private_jwk: key("ES256") },
	EdDSA: { private_jwk: key("EdDSA") },
	"RS256, reused": { private_jwk: key("RS256"), reuse_for: 600 },
	"ES256, reused": { private_jwk: key("ES256"), reuse_for: 600 },
};
const SIDE_NAMES = Object.keys(SIDES);

const pathOf = (side: string) => `/${side.toLowerCase().replace(/\W+/g, "-")}`;

/** Declarative configuration with a route for each side; JSON, which is YAML. */
function configuration(): string {
	const routes = SIDE_NAMES.map((side) => {
		const config = SIDES[side];
		const own = config && [
			{ name: "x-custom-jwt", config: { ...config, auth_methods: ["key"] } },
		];
		return {
			name: `bench${pathOf(side).replace("/", "-")}`,
			protocols: ["http", "https"],
			paths: [pathOf(side)],
			plugins: [{ name: "key-auth" }, ...(own ?? [])],
		};
	});
	const file = {
		_format_version: "3.0",
		services: [
			{ name: "bench", url: `http://127.0.0.1:${BACKEND_PORT}`, routes },
		],
		consumers: [{ username: "bench", keyauth_credentials: [{ key: API_KEY }] }],
	};
	return `${JSON.stringify(file, null, "\t")}\n`;
}

/** The gateway to measure, and the processes whose CPU time is told, by name. */
async function gateway() {
	const proxy = option("proxy");
	if (proxy)
		return {
			url: proxy.replace(/\/+$/, ""),
			processes: Object.fromEntries(
				options("process").map((name) => [name, processesNamed(name)]),
			),
			end: async () => {},
		};
	const demo = await startDemo({
		configuration: parseDeclarative(configuration(), "bench"),
		log: stderrLog("error"),
		pluginServerCommand: SERVERS.dedicated,
	});
	return {
		url: demo.gateway.httpUrl,
		processes: { "plugin server": [demo.pluginServer.pid ?? 0] },
		end: demo.close,
	};
}

async function measure(): Promise<string[]> {
	// Verifies nothing: what a backend does with a token is not the question.
	const backend = createServer((_, response) => response.end("ok"));
	backend.listen(BACKEND_PORT, "127.0.0.1");
	await once(backend, "listening");
	const { url, processes, end } = await gateway();
	const load = async (side: string) => {
		const cpuOf = (pids: number[]) =>
			pids.reduce((sum, pid) => sum + cpuMicroseconds(pid), 0);
		const before = Object.values(processes).map(cpuOf);
		const { requests, latency, duration, non2xx, errors } = await autocannon({
			url: url + pathOf(side),
			headers: { apikey: API_KEY },
			connections: CONNECTIONS,
			// In a thread of its own.
			workers: 1,
			duration: amount(1.5),
		});
		if (non2xx + errors > 0)
			throw new Error(`${side}: ${non2xx + errors} requests failed`);
		return {
			requests: requests.total / duration,
			p50: latency.p50,
			p99: latency.p99,
			cpu: Object.values(processes).map(
				(pids, i) => (cpuOf(pids) - (before[i] ?? 0)) / requests.total,
			),
		};
	};
	for (const side of SIDE_NAMES) await load(side);
	const rounds = await inTurns(SIDE_NAMES, load);
	await end();
	await close(backend);

	const figures = (
		side: string,
		of: (round: Awaited<ReturnType<typeof load>>) => number,
	) => (rounds.get(side) ?? []).map(of);
	return [
		table(
			[
				"",
				"requests/s",
				"ratio to no plugin",
				"p50, ms",
				"p99, ms",
				...Object.keys(processes).map((name) => `CPU of ${name}, µs/request`),
			],
			SIDE_NAMES.map((side) => [
				side,
				spread(figures(side, ({ requests }) => requests)),
				spread(
					ratios(
						figures(side, ({ requests }) => requests),
						figures("no plugin", ({ requests }) => requests),
					),
					2,
				),
				spread(figures(side, ({ p50 }) => p50)),
				spread(figures(side, ({ p99 }) => p99)),
				...Object.keys(processes).map((_, i) =>
					spread(figures(side, ({ cpu }) => cpu[i] ?? 0)),
				),
			]),
		),
	];
}

const file = option("configuration");
if (file) writeFileSync(file, configuration());
// The local gateway is a stand-in: its figures are for no one else.
else report(option("proxy") && "gateway", measure);
