import { once } from "node:events";
import { createServer, type Server, type ServerOptions } from "node:http";
import { BlockList, isIPv6, type Socket } from "node:net";
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
import type { Metrics } from "./ipc";
import type { Log } from "./log";
import type { PluginServerRpc } from "./rpc";
import { listenOnSocket } from "./socket";
import type { Workers } from "./workers";

/** Where metrics are served: an address and a TCP port, or the path of a unix socket. */
export type MetricsPlace = { host: string; port: number } | { path: string };

/** Addresses that only processes of this machine, or of this pod, reach. */
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

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

/** The time until metrics are tried again, in milliseconds. It doubles with each attempt that fails, up to the second one. */
const FIRST_PAUSE = 1000;
const MAX_PAUSE = 60_000;

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
 * Serves Prometheus metrics at any path. Whatever prevents this, such as a port that is taken, is logged and tried again
 * at growing intervals: requests do not need metrics.
 *
 * Metrics name no client, and hold no key and no token. Whoever connects may still keep Prometheus from it, so an address
 * that others reach is a warning.
 *
 * @param socketMode permissions of that socket
 * @param workers whose metrics are added to those of this process
 * @param onServing takes the server once it listens
 * @returns a promise that resolves after the first attempt, successful or not
 */
export function serveMetrics(
	where: MetricsPlace,
	socketMode: number,
	rpc: PluginServerRpc,
	log: Log,
	workers: Workers | undefined,
	onServing: (server: Server) => void,
): Promise<void> {
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
	/** Makes a server that listens. */
	const listen = async () => {
		const server = createServer(OPTIONS, async (_, response) => {
			response.setHeader("content-type", registry.contentType);
			response.end(await text());
		});
		server.timeout = IDLE;
		keepNewest(server, MAX_CONNECTIONS);
		try {
			if ("path" in where)
				await listenOnSocket(server, where.path, socketMode, log);
			else await listenOnPort(server, where, log);
		} catch (error) {
			server.close();
			throw error;
		}
		return server;
	};
	const on = nameOf(where);
	const attempt = async (pause: number): Promise<void> => {
		try {
			onServing(await listen());
			log("info", "metrics served", { on });
			if (isOpen(where))
				log("warn", "metrics can be read from other machines", {
					on,
					hint: "let only Prometheus connect, for example by a NetworkPolicy",
				});
		} catch (error) {
			log("error", "metrics cannot be served", {
				on,
				error: error instanceof Error ? error.message : undefined,
				next_in: `${pause / 1000}s`,
			});
			const next = Math.min(2 * pause, MAX_PAUSE);
			setTimeout(() => attempt(next), pause).unref();
		}
	};
	return attempt(FIRST_PAUSE);
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

/** The place as log lines name it. */
function nameOf(place: MetricsPlace): string {
	if ("path" in place) return place.path;
	const { host, port } = place;
	return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether other machines reach the place. */
function isOpen(place: MetricsPlace): boolean {
	if ("path" in place) return false;
	return !LOOPBACK.check(place.host, isIPv6(place.host) ? "ipv6" : "ipv4");
}

async function listenOnPort(
	server: Server,
	{ host, port }: { host: string; port: number },
	log: Log,
): Promise<void> {
	server.listen(port, host);
	await once(server, "listening");
	// A connection that could not be accepted, for lack of a file descriptor.
	server.on("error", ({ message }) =>
		log("error", "no connection", { error: message }),
	);
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
