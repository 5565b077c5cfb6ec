import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../schema/package-root";
import {
	type Backend,
	type BackendOptions,
	startBackend,
} from "../backend/backend";
import { type Entities, loadDeclarative } from "../gateway/entities";
import { ExternalPlugin } from "../gateway/external-plugin";
import {
	type Gateway,
	type GatewayOptions,
	startGateway,
} from "../gateway/gateway";
import { InProcessRpc } from "../gateway/in-process-rpc";
import type { Log } from "../gateway/log";
import { dedicatedServer, PluginServer } from "../gateway/plugin-server";
import { makeFlows, type Reach } from "./flows";

const ROOT = packageRoot();

/** `host:port` of the backend in kong.yml. */
const BACKEND_HOST = "httpbin:9000";

/** The configuration files of the demo. */
export const CONFIG_FILES = [
	join(ROOT, "kong.yml"),
	join(ROOT, "kong-enterprise.yml"),
];

/** What can be different from the demo's defaults. */
export interface DemoOptions {
	configuration?: Entities;
	/** Plugin server command; the dedicated server by default. */
	pluginServerCommand?: string[];
	/** Runs the plugin in the gateway's own process, and no plugin server. */
	inProcess?: boolean;
	/** TCP ports; free ones by default. */
	httpPort?: number;
	httpsPort?: number;
	backendPort?: number;
	/** Addresses by `host:port`, besides the backend's. */
	resolve?: [host: string, address: string][];
	/** Path of the gateway's JWKS route that the backend verifies with; that of kong.yml by default. */
	jwksPath?: string;
	/** JWS algorithms the backend accepts. */
	algorithms?: string[];
	/** How the backend caches the JWK Set. */
	jwksCache?: BackendOptions["jwksCache"];
	/** Told of each request that reaches the backend. */
	onRequest?: BackendOptions["onRequest"];
	/** Ends the start: it rejects when everything is ended again. */
	signal?: AbortSignal;
	/** What else the gateway is started with. */
	gateway?: Partial<GatewayOptions>;
	/** Starts another backend than the sample backend of kong.yml. */
	startBackend?: (gateway: Gateway) => Promise<Backend>;
	log: Log;
}

/** The running parts. */
export interface Demo {
	gateway: Gateway;
	backend: Backend;
	/** Not started when the plugin runs in process. */
	pluginServer: PluginServer;
	/** Ends everything; no process and no socket is left. */
	close(): Promise<void>;
}

/**
 * Starts plugin server, local gateway and sample backend, wired together.
 *
 * @throws when a port is taken, a part does not start, or the start is aborted; parts already started are ended first
 */
export async function startDemo(options: DemoOptions): Promise<Demo> {
	const { log, signal } = options;
	const closers: (() => unknown)[] = [];
	const close = async () => {
		await Promise.all(closers.map((closer) => closer()));
	};
	const pluginServer = new PluginServer(
		options.pluginServerCommand ?? dedicatedServer(),
		log,
	);
	closers.push(() => pluginServer.stop());
	const stop = () => pluginServer.stop();
	signal?.addEventListener("abort", stop);
	try {
		signal?.throwIfAborted();
		const plugin = options.inProcess
			? await loadInProcess(log)
			: await startPlugin(pluginServer, log);
		closers.push(() => plugin.rpc.close());
		const resolve = new Map(options.resolve);
		const gateway = await startGateway({
			configuration: options.configuration ?? loadDeclarative(CONFIG_FILES),
			externalPlugins: [plugin],
			httpPort: options.httpPort ?? 0,
			httpsPort: options.httpsPort ?? 0,
			clientCa: readFileSync(join(ROOT, "test-keys/client-ca.pem"), "utf8"),
			resolve,
			log,
			...options.gateway,
		});
		closers.push(() => gateway.close());

		const backend = await (options.startBackend?.(gateway) ??
			startSampleBackend(gateway, options));
		closers.push(() => backend.close());
		if (!resolve.has(BACKEND_HOST))
			resolve.set(BACKEND_HOST, `localhost:${backend.port}`);
		signal?.throwIfAborted();
		return { gateway, backend, pluginServer, close };
	} catch (error) {
		await close();
		throw error;
	} finally {
		signal?.removeEventListener("abort", stop);
	}
}

async function loadInProcess(log: Log): Promise<ExternalPlugin> {
	const rpc = await InProcessRpc.load(log);
	return new ExternalPlugin(rpc.info, rpc, log);
}

async function startPlugin(
	pluginServer: PluginServer,
	log: Log,
): Promise<ExternalPlugin> {
	const info = await pluginServer.query();
	await pluginServer.start();
	return new ExternalPlugin(info, pluginServer.connect(), log);
}

/** Starts the sample backend of kong.yml behind a gateway. */
export function startSampleBackend(
	gateway: Reach,
	{
		backendPort = 0,
		jwksPath = "/x-custom-jwt/jwks",
		algorithms = ["RS256"],
		jwksCache,
		onRequest,
	}: Pick<
		DemoOptions,
		"backendPort" | "jwksPath" | "algorithms" | "jwksCache" | "onRequest"
	>,
): Promise<Backend> {
	const jwksUrl = `${gateway.httpUrl}${jwksPath}`;
	return startBackend({
		host: "localhost",
		port: backendPort,
		jwksUrl,
		issuer: "https://kong-gateway:8443/x-custom-jwt",
		audience: `http://${BACKEND_HOST}/anything`,
		algorithms,
		jwksCache,
		onRequest,
		inspector: {
			folder: join(ROOT, "dist/inspector"),
			jwksUrl,
			flows: () => makeFlows(gateway),
		},
	});
}
