import { once } from "node:events";
import { createServer, type Server } from "node:http";
import {
	Counter,
	collectDefaultMetrics,
	Gauge,
	Histogram,
	Registry,
} from "prom-client";
import {
	type Refused,
	refusedChannel,
	type Signed,
	signedChannel,
} from "../plugins/x-custom-jwt/diagnostics";
import type { Log } from "./log";
import type { PluginServerRpc } from "./rpc";
import { listenOnSocket } from "./socket";

/** From an HMAC to a phase that runs into its deadline, in seconds. */
const BUCKETS = [
	0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
	1, 5,
];

/**
 * Serves Prometheus metrics at any path.
 *
 * @param where a TCP port of the loopback interface, or the path of a unix socket
 * @param socketMode permissions of that socket
 */
export async function serveMetrics(
	where: number | string,
	socketMode: number,
	rpc: PluginServerRpc,
	log: Log,
): Promise<Server> {
	const registry = collectMetrics(rpc);
	const server = createServer(async (_, response) => {
		response.setHeader("content-type", registry.contentType);
		response.end(await registry.metrics());
	});
	// Whoever can connect must not use up the file descriptors of Kong's connections.
	server.maxConnections = 16;
	if (typeof where === "string")
		await listenOnSocket(server, where, socketMode, log);
	else {
		server.listen(where, "127.0.0.1");
		await once(server, "listening");
	}
	return server;
}

function collectMetrics({ instances, events }: PluginServerRpc): Registry {
	const registry = new Registry();
	collectDefaultMetrics({ register: registry });
	const signed = new Histogram({
		name: "x_custom_jwt_signing_seconds",
		help: "Time to sign a token; its count is the number of tokens",
		labelNames: ["alg"],
		buckets: BUCKETS,
		registers: [registry],
	});
	const refused = new Counter({
		name: "x_custom_jwt_refused_total",
		help: "Requests refused by the plugin",
		labelNames: ["reason"],
		registers: [registry],
	});
	const phases = new Histogram({
		name: "x_custom_jwt_phase_seconds",
		help: "Time from Kong's event to the end of the phase, PDK calls included",
		buckets: BUCKETS,
		registers: [registry],
	});
	new Gauge({
		name: "x_custom_jwt_instances",
		help: "Configurations that Kong's workers have started",
		registers: [registry],
		collect() {
			this.set(instances.size);
		},
	});
	new Gauge({
		name: "x_custom_jwt_events_in_flight",
		help: "Requests the plugin is working on",
		registers: [registry],
		collect() {
			this.set(events.size);
		},
	});
	signedChannel.subscribe((message) => {
		const { alg, seconds } = message as Signed;
		signed.observe({ alg }, seconds);
	});
	refusedChannel.subscribe((message) => {
		refused.inc({ reason: (message as Refused).reason });
	});
	events.onEnd = (seconds) => phases.observe(seconds);
	return registry;
}
