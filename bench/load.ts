import { join } from "node:path";
import { PluginServer, stockServer } from "../local/gateway/plugin-server";
import { packageRoot } from "../schema/package-root";
import { Client, StockClient } from "../test/support/client";
import type { KnownRequest } from "../test/support/facts";
import { cpuMicroseconds, residentMegabytes } from "./proc";
import { quantile } from "./rounds";

const DIST = join(packageRoot(), "dist");

/** Commands of the plugin servers, on the plugin as `npm run build` bundles it; `floor` is without one. */
export const SERVERS = {
	stock: stockServer(join(DIST, "plugins")),
	dedicated: [process.execPath, join(DIST, "x-custom-jwt-pluginserver.js")],
	executable: [join(DIST, "x-custom-jwt-pluginserver")],
	floor: [
		process.execPath,
		"--require",
		require.resolve("ts-node/register"),
		join(__dirname, "floor.ts"),
	],
};

const started = new Set<PluginServer>();

// A script that failed must not leave them behind.
process.once("exit", () => {
	for (const server of started) server.kill();
});

/** Says what the next request is: its instance, and what Kong knows of it. */
export type Next = () => [instance: number, request: KnownRequest];

/** When a run ends: the first of these. */
export interface Limit {
	seconds?: number;
	requests?: number;
}

/** What requests cost. */
export interface Cost {
	/** Of the plugin server's process, in microseconds per request. */
	cpu: number;
	/** Per second. */
	requests: number;
	/** From the event to the end of the phase, in microseconds. */
	p50: number;
	p99: number;
}

/** A plugin server with connections to it, as Kong's workers have them. */
export class LoadedServer {
	readonly clients: (Client | StockClient)[];

	private constructor(
		readonly process: PluginServer,
		readonly speaksMessagePack: boolean,
		connections: number,
	) {
		this.clients = Array.from({ length: connections }, () => this.connect());
	}

	/** @param flags of the dedicated server */
	static async start(
		name: keyof typeof SERVERS,
		connections: number,
		flags: string[] = [],
	): Promise<LoadedServer> {
		const server = new PluginServer([...SERVERS[name], ...flags], () => {});
		started.add(server);
		await server.start();
		return new LoadedServer(server, name === "stock", connections);
	}

	/** A further connection, opened with its first call. */
	connect(): Client | StockClient {
		return this.speaksMessagePack
			? new StockClient(this.process.socketPath)
			: new Client(this.process.socketPath);
	}

	get pid(): number {
		return this.process.pid ?? 0;
	}

	/** Resident memory, in MB. */
	get memory(): number {
		return residentMegabytes(this.pid);
	}

	/** @returns the id of a new instance with this configuration */
	async startInstance(config: Record<string, unknown>): Promise<number> {
		const [client] = this.clients;
		if (!client) throw new Error("no connection");
		return client.startInstance(config);
	}

	/**
	 * Sends one request after the other on each connection.
	 *
	 * @param connections how many of them are used
	 */
	async run(
		next: Next,
		limit: Limit,
		connections = this.clients.length,
	): Promise<Cost> {
		const latencies: number[] = [];
		const cpuBefore = cpuMicroseconds(this.pid);
		const start = performance.now();
		const { requests = Infinity, seconds = Infinity } = limit;
		const end = start + seconds * 1000;
		let left = requests;
		const loop = async (client: Client | StockClient) => {
			let now = performance.now();
			while (now < end && left-- > 0) {
				await client.runPhase(...next());
				const before = now;
				now = performance.now();
				latencies.push((now - before) * 1000);
			}
		};
		await Promise.all(this.clients.slice(0, connections).map(loop));
		const elapsed = (performance.now() - start) / 1000;
		return {
			cpu: (cpuMicroseconds(this.pid) - cpuBefore) / latencies.length,
			requests: latencies.length / elapsed,
			p50: quantile(latencies, 0.5),
			p99: quantile(latencies, 0.99),
		};
	}

	async stop(): Promise<void> {
		await Promise.all(this.clients.map((client) => client.close()));
		await this.process.stop();
		started.delete(this.process);
	}
}
