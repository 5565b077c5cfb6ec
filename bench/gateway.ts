/**
 * What a request through the local gateway costs, with the plugin and without it:
 * requests a second and latency, the plugin server's CPU per request and its memory. On the stock
 * plugin server, or with `--dedicated` on ours.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import autocannon from "autocannon";
import { startDemo } from "../test/demo/demo";
import { loadDeclarative } from "../test/gateway/declarative";
import { stderrLog } from "../test/gateway/log";
import { dedicatedServer, stockServer } from "../test/gateway/plugin-server";
import { cpuSeconds, residentMegabytes } from "./proc";

const SECONDS = 10;
const REQUESTS = 100_000;

async function main() {
	// The same plain backend for both sides: what it does with a token is not the question.
	const backend = createServer((_, response) => response.end("ok"));
	await new Promise<void>((resolve) => backend.listen(0, "localhost", resolve));
	const { port } = backend.address() as AddressInfo;
	const configuration = loadDeclarative(["kong.yml"]);
	// Without the guard, whose Lua costs more here than in Kong.
	const routes = configuration.routes.map((route) => ({
		...route,
		plugins: route.plugins.filter(({ name }) => !name.endsWith("-function")),
	}));
	const demo = await startDemo({
		configuration: {
			...configuration,
			routes: [
				...routes,
				...routes.map((route) => ({
					...route,
					entity: {
						...route.entity,
						paths: route.entity.paths.map((path) => `/plain${path}`),
					},
					plugins: route.plugins.filter(({ name }) => name !== "x-custom-jwt"),
				})),
			],
		},
		resolve: [["httpbin:9000", `localhost:${port}`]],
		log: stderrLog("warn"),
		pluginServerCommand: process.argv.includes("--dedicated")
			? dedicatedServer()
			: stockServer(),
	});
	const pid = demo.pluginServer.pid ?? 0;

	const load = (
		path: string,
		limit: { connections: number; duration?: number; amount?: number },
	) =>
		autocannon({
			url: demo.gateway.httpUrl + path,
			headers: { apikey: "012345AZERTY!" },
			workers: 1,
			...limit,
		});

	await load("/apiKey", { connections: 8, duration: 2 });
	console.log(
		"| route | connections | req/s | p50 ms | p99 ms | plugin server CPU µs/request |",
	);
	console.log("|---|---|---|---|---|---|");
	for (const connections of [1, 32])
		for (const path of ["/plain/apiKey", "/apiKey"]) {
			const before = cpuSeconds(pid);
			const { requests, latency, non2xx, errors } = await load(path, {
				connections,
				duration: SECONDS,
			});
			if (non2xx + errors > 0)
				throw new Error(`${non2xx + errors} requests failed`);
			const cpu = ((cpuSeconds(pid) - before) / requests.total) * 1e6;
			console.log(
				`| ${path} | ${connections} | ${requests.average.toFixed(0)} | ${latency.p50} | ${latency.p99} | ${cpu.toFixed(0)} |`,
			);
		}
	const before = residentMegabytes(pid).toFixed(0);
	await load("/apiKey", { connections: 32, amount: REQUESTS });
	console.log(
		`plugin server resident memory: ${before} MB before, ${residentMegabytes(pid).toFixed(0)} MB after ${REQUESTS} more requests`,
	);
	await demo.close();
	backend.close();
	backend.closeAllConnections();
}

main();
