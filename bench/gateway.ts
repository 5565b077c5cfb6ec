/**
 * What does a request through a gateway cost, from the client's side: key-auth alone, with each algorithm, and with
 * tokens reused? On the local gateway with the dedicated plugin server, or on any other:
 *   npm run bench -- gateway --configuration=bench.yml                       writes what it is to run
 *   npm run bench -- gateway --proxy=http://localhost:8000 --process=nginx: worker --process=pluginserver
 */
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import autocannon from "autocannon";
import { startDemo } from "../local/demo/demo";
import { parseDeclarative } from "../local/gateway/entities";
import { stderrLog } from "../local/gateway/log";
import { close } from "../local/http";
import { amount, flags, inTurns, ratio, report, spread, table } from "./report";
import { cpuMicroseconds, SERVERS, withKey } from "./servers";

const CONNECTIONS = 32;
const API_KEY = "an API key of the benchmark";
/** Where the gateway finds the backend, which this script is. */
const BACKEND_PORT = 9100;

/** The plugin's configuration on each side; the first is without the plugin. */
const SIDES = [
	["no plugin", undefined],
	["RS256", withKey("RS256")],
	["ES256", withKey("ES256")],
	["EdDSA", withKey("EdDSA")],
	["RS256, reused", withKey("RS256", { reuse_for: 600 })],
	["ES256, reused", withKey("ES256", { reuse_for: 600 })],
] as const;
const NAMES = SIDES.map(([name]) => name);

const pathOf = (side: string) => `/${side.toLowerCase().replace(/\W+/g, "-")}`;

/** Declarative configuration with a route for each side; JSON, which is YAML. */
function configuration(): string {
	const routes = SIDES.map(([side, fields]) => {
		// Kong adds the id of the Service itself.
		const config = { ...fields, auth_methods: ["key"], service_id: undefined };
		return {
			name: `bench${pathOf(side).replace("/", "-")}`,
			protocols: ["http", "https"],
			paths: [pathOf(side)],
			plugins: [
				{ name: "key-auth" },
				...(fields ? [{ name: "x-custom-jwt", config }] : []),
			],
		};
	});
	const url = `http://127.0.0.1:${BACKEND_PORT}`;
	const file = {
		_format_version: "3.0",
		services: [{ name: "bench", url, routes }],
		consumers: [{ username: "bench", keyauth_credentials: [{ key: API_KEY }] }],
	};
	return `${JSON.stringify(file, null, "\t")}\n`;
}

/** The processes that have a text in their command line. */
function processesNamed(text: string): number[] {
	const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
	const found = pids.map(Number).filter((pid) => {
		const path = `/proc/${pid}/cmdline`;
		if (pid === process.pid || !existsSync(path)) return false;
		return readFileSync(path, "utf8").replaceAll("\0", " ").includes(text);
	});
	if (!found.length) throw new Error(`no process has ${text} in its name`);
	return found;
}

/** The gateway to measure, and the processes whose CPU time is printed, by name. */
async function gateway() {
	const { proxy, process: named } = flags;
	if (proxy)
		return {
			url: proxy.replace(/\/+$/, ""),
			processes: named.map((name) => ({ name, pids: processesNamed(name) })),
			end: async () => {},
		};
	const demo = await startDemo({
		configuration: parseDeclarative(configuration(), "bench"),
		log: stderrLog("error"),
		pluginServerCommand: SERVERS.dedicated,
	});
	const pids = [demo.pluginServer.pid ?? 0];
	return {
		url: demo.gateway.httpUrl,
		processes: [{ name: "plugin server", pids }],
		end: demo.close,
	};
}

async function measure(): Promise<string[]> {
	// Verifies nothing: what a backend does with a token is not the question.
	const backend = createServer((_, response) => response.end("ok"));
	backend.listen(BACKEND_PORT, "127.0.0.1");
	await once(backend, "listening");
	const { url, processes, end } = await gateway();
	const cpus = () =>
		processes.map(({ pids }) =>
			pids.reduce((sum, pid) => sum + cpuMicroseconds(pid), 0),
		);
	const load = async (side: string) => {
		const before = cpus();
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
		const cpu = cpus().map(
			(now, i) => (now - (before[i] ?? 0)) / requests.total,
		);
		return [requests.total / duration, latency.p50, latency.p99, ...cpu];
	};
	for (const side of NAMES) await load(side);
	const rounds = await inTurns(NAMES, load);
	await end();
	await close(backend);
	const column = (side: number, figure: number) =>
		(rounds[side] ?? []).map((round) => round[figure] ?? Number.NaN);
	const rows = NAMES.map((name, side) => {
		const figures = Array.from({ length: 3 + processes.length }, (_, figure) =>
			spread(column(side, figure)),
		);
		const [requests = "", ...others] = figures;
		return [name, requests, ratio(column(side, 0), column(0, 0)), ...others];
	});
	const head = ["", "requests/s", "ratio to no plugin", "p50, ms", "p99, ms"];
	const cpu = processes.map(({ name }) => `CPU of ${name}, µs/request`);
	return [table([...head, ...cpu], rows)];
}

if (flags.configuration) writeFileSync(flags.configuration, configuration());
// The local gateway is a stand-in: its figures are for no one else.
else report(flags.proxy && "gateway", measure);
