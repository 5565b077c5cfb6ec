import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
	Agent,
	createServer,
	type IncomingMessage,
	type Server,
	type ServerResponse,
} from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { makeRouter, type RoutedRequest } from "../../declarative/router";
import { close } from "../http";
import { makeCertificate } from "./certificate";
import type {
	Entities,
	PluginEntity,
	ServedRoute,
	ServiceEntity,
} from "./entities";
import type { ExternalPlugin } from "./external-plugin";
import type { Log } from "./log";
import { standIns } from "./plugins";
import type { Lookup } from "./plugins/stand-in";
import { authority, proxy } from "./proxy";
import { type Exit, errorExit, GatewayRequest, requestUrl } from "./request";

/** What the local gateway is started with. */
export interface GatewayOptions {
	configuration: Entities;
	/** The plugins that run in a plugin server. */
	externalPlugins: ExternalPlugin[];
	/** TCP ports on the loopback interface; 0 takes a free one. */
	httpPort: number;
	httpsPort: number;
	/** CA certificates (PEM) that client certificates are verified against. */
	clientCa: string;
	/** Where hosts really are: address by `host:port`, as in curl's `--resolve`. */
	resolve: Map<string, string>;
	/** Where a Service really is; by default where it says, with `resolve`. */
	upstreamOf?: (service: ServiceEntity) => URL;
	/** Is given each request that goes to a backend, before it does. */
	onProxy?: (request: GatewayRequest) => void;
	/** Fetches for stand-ins, such as discovery documents; by default the network, with `resolve`. */
	fetch?: typeof fetch;
	/** Whether a stand-in that fails is logged and left out, instead of answering 500. */
	lenient?: boolean;
	log: Log;
}

/** A running gateway. */
export interface Gateway {
	httpUrl: string;
	httpsUrl: string;
	/** The listener's self-signed certificate, PEM. */
	certificate: string;
	/**
	 * Serves another configuration from now on, as `kong reload` and a configuration from the control plane
	 * do: requests in flight end with the old one.
	 *
	 * @throws as `startGateway` does, and goes on as before
	 */
	reload(configuration: Entities): void;
	close(): Promise<void>;
}

/** A plugin entry ready to run. */
interface Step {
	priority: number;
	access(request: GatewayRequest): Promise<Exit | undefined> | Exit | undefined;
	log?(request: GatewayRequest): void;
}

// Messages of Kong itself.
const NO_ROUTE = "no Route matched with those values";
const NO_SERVICE = "no Service found with those values";
const USE_HTTPS = "Please use HTTPS protocol";
const BAD_REQUEST = "Bad request";
const UNEXPECTED = "An unexpected error occurred";
const BAD_UPSTREAM =
	"An invalid response was received from the upstream server";

// As much as nginx takes by default: four buffers of 8 KiB.
const MAX_HEADER_BYTES = 32 * 1024;

/**
 * Starts a stand-in for Kong's data plane: what is in the configuration behaves as on Kong 3.9, and
 * anything else in it is refused by name.
 *
 * @throws naming the plugin entry or field that is not supported, or the port that is taken
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
	const { log, resolve } = options;
	const resolvingFetch = ((input: string | URL, init?: RequestInit) => {
		const url = new URL(input);
		url.host = resolve.get(url.host) ?? url.host;
		return fetch(url, init);
	}) as typeof fetch;
	let plans = plan(options.configuration);
	let router = routerOf(options.configuration);
	const agent = new Agent({ keepAlive: true });

	/** What runs on each route, in the order it runs. */
	function plan(configuration: Entities): Map<ServedRoute, Step[]> {
		const lookup = { configuration, fetch: options.fetch ?? resolvingFetch };
		return new Map(
			configuration.routes.map((route) => [
				route,
				route.plugins
					.map((entry) => step(entry, lookup))
					.sort((a, b) => b.priority - a.priority),
			]),
		);
	}

	function step(entry: PluginEntity, lookup: Lookup): Step {
		const { name, what } = entry;
		const external = options.externalPlugins.find(
			({ info }) => info.Name === name,
		);
		if (external) {
			const checked = { ...entry, config: external.check(entry.config, what) };
			return {
				priority: external.info.Priority,
				access: (request) => external.access(request, checked),
			};
		}
		const plugin = standIns[name];
		if (!plugin) throw new Error(`${what}: not supported by the local gateway`);
		const config = plugin.check(entry.config, what);
		return {
			priority: plugin.priority,
			access: async (request) => {
				try {
					return await plugin.access(request, config, lookup);
				} catch (error) {
					if (!options.lenient) throw error;
					log(
						"warn",
						`${what} failed here, and the request goes on without it: ${(error as Error).message}`,
					);
					return undefined;
				}
			},
			log: (request) => plugin.log?.(request, config),
		};
	}

	const upstreamOf =
		options.upstreamOf ??
		((service: ServiceEntity) => {
			const host = authority(service);
			return new URL(`${service.protocol}://${resolve.get(host) ?? host}`);
		});

	async function handle(
		incoming: IncomingMessage,
		response: ServerResponse,
		protocol: "http" | "https",
	): Promise<void> {
		const id = randomBytes(16).toString("hex");
		// nginx takes one line of it, so that plugins cannot read different ones (Kong fact).
		if ((incoming.headersDistinct.authorization?.length ?? 0) > 1)
			return send(response, errorExit(id, 400, BAD_REQUEST));
		const [ranked] = router(routedRequest(incoming, protocol));
		const route = ranked?.route;
		if (!route) return send(response, errorExit(id, 404, NO_ROUTE));
		if (!route.entity.protocols.includes(protocol)) {
			const upgrade = { connection: "Upgrade", upgrade: "TLS/1.2, HTTP/1.1" };
			return send(response, errorExit(id, 426, USE_HTTPS, upgrade));
		}
		const request = new GatewayRequest(id, incoming, route);
		const steps = plans.get(route) ?? [];
		response.once("close", () => {
			for (const step of steps) step.log?.(request);
		});
		try {
			for (const { access } of steps) {
				const exit = await access(request);
				if (exit) return send(response, exit, request);
			}
		} catch (error) {
			log("error", (error as Error).message);
			return send(response, request.error(500, UNEXPECTED), request);
		}
		const { service } = route;
		if (!service)
			return send(response, request.error(503, NO_SERVICE), request);
		try {
			options.onProxy?.(request);
			await proxy(request, service, upstreamOf(service), agent, response);
		} catch (error) {
			// The client went away; nobody is left to answer.
			if (response.destroyed) return;
			log("error", `upstream: ${(error as Error).message}`);
			send(response, request.error(502, BAD_UPSTREAM), request);
		}
	}

	const server = await makeCertificate([{ CN: ["localhost"] }], {
		names: ["localhost", "kong-gateway"].map((value) => ({
			type: "dns",
			value,
		})),
		days: 30,
	});
	const http = createServer(
		{ maxHeaderSize: MAX_HEADER_BYTES },
		(incoming, response) => handle(incoming, response, "http"),
	);
	const https = createTlsServer(
		{
			maxHeaderSize: MAX_HEADER_BYTES,
			cert: server.cert,
			key: server.key,
			// nginx_proxy_ssl_verify_client: asked for, verified, and the verdict left to plugins.
			ca: options.clientCa,
			requestCert: true,
			rejectUnauthorized: false,
		},
		(incoming, response) => handle(incoming, response, "https"),
	);
	const httpPort = await listen(http, options.httpPort);
	const httpsPort = await listen(https, options.httpsPort);
	return {
		httpUrl: `http://localhost:${httpPort}`,
		httpsUrl: `https://localhost:${httpsPort}`,
		certificate: server.cert,
		reload: (configuration) => {
			plans = plan(configuration);
			router = routerOf(configuration);
			for (const external of options.externalPlugins) external.closeInstances();
		},
		close: async () => {
			agent.destroy();
			await Promise.all([close(http), close(https)]);
		},
	};
}

function routerOf({ routes }: Entities) {
	return makeRouter(routes, ({ matchable }) => matchable);
}

/** A request as Kong's router sees it. */
function routedRequest(
	incoming: IncomingMessage,
	scheme: "http" | "https",
): RoutedRequest {
	const { socket, headersDistinct, method = "GET" } = incoming;
	const { host = "" } = incoming.headers;
	const [, name = host, port] = /^([^:]*):(\d+)$/.exec(host) ?? [];
	const sni = "servername" in socket ? socket.servername : undefined;
	return {
		method,
		scheme,
		host: name,
		ports: [Number(port ?? socket.localPort)],
		path: requestUrl(incoming).pathname,
		...(typeof sni === "string" && { sni }),
		headers: headersDistinct as Record<string, string[]>,
	};
}

/** `kong.response.exit`: an object becomes JSON. */
function send(
	response: ServerResponse,
	{ status, body, headers }: Exit,
	request?: GatewayRequest,
): void {
	if (response.headersSent || response.destroyed) return;
	const text = typeof body === "object" ? JSON.stringify(body) : (body ?? "");
	response.writeHead(status, {
		server: "kong/local",
		...(typeof body === "object" && {
			"content-type": "application/json; charset=utf-8",
		}),
		...request?.responseHeaders,
		...headers,
		"content-length": Buffer.byteLength(text),
	});
	response.end(text);
	// What is left of the request's body is read and dropped, so that the connection can go on.
	request?.incoming.resume();
}

async function listen(server: Server, port: number): Promise<number> {
	server.listen(port, "localhost");
	await once(server, "listening");
	return (server.address() as AddressInfo).port;
}
