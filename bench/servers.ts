/** Plugin servers on the built plugin, with Kong's side of their protocols as load. Linux only: proc(5) is read. */
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { join } from "node:path";
import { testKey } from "../local/demo/flows";
import { MessagePackRpc } from "../local/gateway/messagepack";
import type { PluginRpc } from "../local/gateway/plugin-rpc";
import { PluginServer, stockServer } from "../local/gateway/plugin-server";
import { ProtoBufRpc } from "../local/gateway/protobuf";
import { GatewayRequest } from "../local/gateway/request";
import { packageRoot } from "../schema/package-root";
import { quantile } from "./report";

const DIST = join(packageRoot(), "dist");

/** Commands of the plugin servers. */
export const SERVERS = {
	stock: stockServer(join(DIST, "plugins")),
	dedicated: [process.execPath, join(DIST, "x-custom-jwt-pluginserver.js")],
	executable: [join(DIST, "x-custom-jwt-pluginserver")],
};

const SERVICE = {
	id: randomUUID(),
	name: "bench",
	protocol: "http",
	host: "bench",
	port: 9000,
};

/** A plugin entry on a Service, with one of the test keys. */
export function withKey(alg: string, fields: object = {}) {
	const file = alg === "HS256" ? "HS256-jwk.json" : `${alg}-jwk-private.json`;
	return { private_jwk: testKey(file), service_id: SERVICE.id, ...fields };
}

/** Configurations by what a key-auth request makes of them. */
export const OUTCOMES = {
	"fresh, RS256": withKey("RS256"),
	"fresh, ES256": withKey("ES256"),
	reused: withKey("ES256", { reuse_for: 600 }),
};

const incoming = Object.assign(new IncomingMessage(new Socket()), {
	httpVersion: "1.1",
});
const entity = {
	...{ id: randomUUID(), name: "bench", paths: ["/"] },
	...{ protocols: ["http"], strip_path: true, preserve_host: false },
};
const consumer = { id: randomUUID(), username: "bench" };

/** A request that a security plugin has authenticated by a credential; or that nobody has, without one. */
export function requestOf(
	credential: { id?: string; [member: string]: unknown } | undefined,
	shared = {},
): GatewayRequest {
	const route = {
		entity,
		matchable: { id: entity.id },
		service: SERVICE,
		plugins: [],
	};
	const request = new GatewayRequest("bench", incoming, route);
	if (!credential) return request;
	const { id = "credential" } = credential;
	const stored = { ...credential, id, consumer: { id: consumer.id } };
	request.authenticate(consumer, stored, id);
	Object.assign(request.shared, shared);
	return request;
}

/** A request that key-auth authenticated. */
export const withApiKey = requestOf({ key: "an API key of the benchmark" });

/** A request that the jwt plugin authenticated by a token of these claims. */
export function withToken(claims: object): GatewayRequest {
	const part = (value: object) =>
		Buffer.from(JSON.stringify(value)).toString("base64url");
	const own = { iss: "issuer", clientId: "web-shop", ...claims };
	return requestOf(
		{ key: "issuer", algorithm: "ES256", secret: "s".repeat(32) },
		{ authenticated_jwt_token: `${part({ alg: "ES256" })}.${part(own)}.AAAA` },
	);
}

/** CPU time of the threads that a process has, so far, in microseconds. */
export function cpuMicroseconds(pid: number): number {
	// Not of `stat`, which counts in steps of 10 ms.
	return readdirSync(`/proc/${pid}/task`)
		.map((task) => readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8"))
		.reduce((sum, schedstat) => sum + Number.parseInt(schedstat, 10) / 1000, 0);
}

/** Resident memory of a process, in MB. */
export function residentMegabytes(pid: number): number {
	const status = readFileSync(`/proc/${pid}/status`, "utf8");
	return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
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

/** What the next request is. */
export type Next = () => [instance: number, request: GatewayRequest];

/** A plugin server that Kong's workers are connected to. */
export class LoadedServer {
	private constructor(
		readonly server: PluginServer,
		readonly rpc: PluginRpc,
	) {}

	static async start(
		name: keyof typeof SERVERS,
		flags: string[] = [],
	): Promise<LoadedServer> {
		const server = new PluginServer([...SERVERS[name], ...flags], () => {});
		await server.start();
		const Rpc = name === "stock" ? MessagePackRpc : ProtoBufRpc;
		return new LoadedServer(server, new Rpc(server.socketPath, () => {}));
	}

	get pid(): number {
		return this.server.pid ?? 0;
	}

	/** Resident memory, in MB. */
	get memory(): number {
		return residentMegabytes(this.pid);
	}

	/** @returns the id of a new instance with this configuration */
	startInstance(config: object): Promise<number> {
		return this.rpc.startInstance("x-custom-jwt", JSON.stringify(config));
	}

	/** Sends one request after the other on each connection, until either limit is reached. */
	async run(
		next: Next,
		connections: number,
		{ seconds = Infinity, requests = Infinity },
	): Promise<Cost> {
		const latencies: number[] = [];
		const cpuBefore = cpuMicroseconds(this.pid);
		const start = performance.now();
		let left = requests;
		const loop = async () => {
			let now = performance.now();
			while (now < start + seconds * 1000 && left-- > 0) {
				await this.rpc.handleEvent(...next());
				const before = now;
				now = performance.now();
				latencies.push((now - before) * 1000);
			}
		};
		await Promise.all(Array.from({ length: connections }, loop));
		return {
			cpu: (cpuMicroseconds(this.pid) - cpuBefore) / latencies.length,
			requests: latencies.length / ((performance.now() - start) / 1000),
			p50: quantile(latencies, 0.5),
			p99: quantile(latencies, 0.99),
		};
	}

	async stop(): Promise<void> {
		this.rpc.close();
		await this.server.stop();
	}
}
