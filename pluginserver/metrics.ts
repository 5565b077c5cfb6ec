import { once } from "node:events";
import { createServer, type Server, type ServerOptions } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import {
	AggregatorRegistry,
	Counter,
	collectDefaultMetrics,
	Gauge,
	Histogram,
	Registry,
} from "prom-client";
import {
	type Looked,
	lookedChannel,
	type Refused,
	refusedChannel,
	type Signed,
	signedChannel,
} from "../plugins/x-custom-jwt/diagnostics";
import type { Metrics } from "./between";
import type { Log } from "./log";
import type { PluginServerRpc } from "./rpc";
import { listenOnSocket } from "./socket";
import type { Workers } from "./workers";

/** From an HMAC to a phase that runs into its deadline, in seconds. */
const BUCKETS = [
	0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
	1, 5,
];

/** A token that fits where header lines are short, up to one that only few servers take; in bytes. */
const SIZES = [256, 512, 1024, 2048, 4096, 8192, 16_384, 65_536];

/** How long a connection may say nothing, or take for one request, in milliseconds. */
const IDLE = 5000;

const OPTIONS: ServerOptions = {
	keepAliveTimeout: IDLE,
	headersTimeout: IDLE,
	requestTimeout: IDLE,
	connectionsCheckingInterval: 1000,
};

/** Whoever can connect must not use up the file descriptors of Kong's connections. */
const MAX_CONNECTIONS = 16;

/** However often they are scraped, metrics are counted together once in so many milliseconds. */
const TEXT_LIFE = 100;

/** Closes the oldest connection when there are too many: a scraper that holds them all blocks no other. */
function keepNewest(server: Server, most: number): void {
	const sockets = new Set<Socket>();
	server.on("connection", (socket) => {
		sockets.add(socket);
		socket.once("close", () => sockets.delete(socket));
		const [oldest] = sockets;
		if (sockets.size > most) oldest?.destroy();
	});
}

/** Gives a function's result again for some time, in milliseconds. */
function heldFor<T>(life: number, make: () => T): () => T {
	let made: { at: number; value: T } | undefined;
	return () => {
		const now = performance.now();
		if (!made || now - made.at > life) made = { at: now, value: make() };
		return made.value;
	};
}

/**
 * Serves Prometheus metrics at any path.
 *
 * @param where a TCP port of the loopback interface, or the path of a unix socket
 * @param socketMode permissions of that socket
 * @param waits for the port until the server before this one has left it
 * @param workers whose metrics are added to those of this process
 * @throws when the port is taken, and it does not wait for it
 */
export async function serveMetrics(
	where: number | string,
	socketMode: number,
	rpc: PluginServerRpc,
	log: Log,
	waits = false,
	workers?: Workers,
): Promise<Server> {
	const registry = collectMetrics(rpc);
	const text = heldFor(TEXT_LIFE, () =>
		workers ? sum(registry, workers) : registry.metrics(),
	);
	if (workers)
		new Counter({
			name: "x_custom_jwt_workers_ended_total",
			help: "Workers that died or hung, and were replaced (--workers)",
			registers: [registry],
			collect() {
				this.reset();
				this.inc(workers.ended);
			},
		});
	const server = createServer(OPTIONS, async (_, response) => {
		response.setHeader("content-type", registry.contentType);
		response.end(await text());
	});
	server.timeout = IDLE;
	keepNewest(server, MAX_CONNECTIONS);
	if (typeof where === "string")
		await listenOnSocket(server, where, socketMode, log);
	else while (!(await hasPort(server, where, waits))) await sleep(1000);
	return server;
}

async function sum(registry: Registry, workers: Workers): Promise<string> {
	const [own, told] = await Promise.all([
		registry.getMetricsAsJSON(),
		workers.metrics(),
	]);
	return addMetrics([own, ...told]).metrics();
}

/** Adds the metrics of several processes up. */
export function addMetrics(parts: Metrics[]): Registry {
	return AggregatorRegistry.aggregate(parts);
}

/** Those that count what has happened, not what is. */
export function countsOf(metrics: Metrics): Metrics {
	const counts: unknown[] = ["counter", "histogram"];
	return metrics.filter(({ type }) => counts.includes(type));
}

async function hasPort(
	server: Server,
	port: number,
	waits: boolean,
): Promise<boolean> {
	try {
		server.listen(port, "127.0.0.1");
		await once(server, "listening");
		return true;
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (waits && code === "EADDRINUSE") return false;
		throw error;
	}
}

/** The metrics of this process. */
export function collectMetrics({
	instances,
	events,
}: PluginServerRpc): Registry {
	const registry = new Registry();
	collectDefaultMetrics({ register: registry });
	const signed = new Histogram({
		name: "x_custom_jwt_signing_seconds",
		help: "Time to sign a token; its count is the number of tokens",
		labelNames: ["alg"],
		buckets: BUCKETS,
		registers: [registry],
	});
	const sizes = new Histogram({
		name: "x_custom_jwt_token_bytes",
		help: "Size of the signed tokens",
		buckets: SIZES,
		registers: [registry],
	});
	const looked = new Counter({
		name: "x_custom_jwt_reuse_total",
		help: "Looks for a token that may be given again (reuse_for)",
		labelNames: ["result"],
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
		aggregator: "max",
		help: "Configurations that Kong's workers have started",
		registers: [registry],
		collect() {
			this.set(instances.size);
		},
	});
	new Gauge({
		name: "x_custom_jwt_instances_unusable",
		aggregator: "max",
		help: "Those whose configuration cannot be used: their requests get 500",
		registers: [registry],
		collect() {
			this.set(instances.unusable);
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
		const { alg, seconds, bytes } = message as Signed;
		signed.observe({ alg }, seconds);
		sizes.observe(bytes);
	});
	lookedChannel.subscribe((message) => {
		looked.inc({ result: (message as Looked).hit ? "hit" : "miss" });
	});
	refusedChannel.subscribe((message) => {
		refused.inc({ reason: (message as Refused).reason });
	});
	events.onEnd = (seconds) => phases.observe(seconds);
	return registry;
}
