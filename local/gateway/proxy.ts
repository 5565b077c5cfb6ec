import {
	type Agent,
	request as httpRequest,
	type IncomingMessage,
	type ServerResponse,
} from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { HOP_BY_HOP } from "../../core/headers";
import { bestMatch } from "../../declarative/paths";
import type { ServiceEntity } from "./entities";
import type { GatewayRequest } from "./request";

/** `host:port` of a Service. */
export function authority({ host, port }: ServiceEntity): string {
	return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/**
 * Streams the request to the backend and its response to the client.
 *
 * @param target where the Service really is; its path is not used
 * @throws when the backend cannot be reached, before anything was sent to the client
 */
export async function proxy(
	request: GatewayRequest,
	service: ServiceEntity,
	target: URL,
	agent: Agent,
	response: ServerResponse,
): Promise<void> {
	const isTls = target.protocol === "https:";
	const upstream = (isTls ? httpsRequest : httpRequest)({
		hostname: target.hostname.replace(/^\[(.+)\]$/, "$1"),
		port: target.port || (isTls ? 443 : 80),
		// As Kong by default, it does not verify a backend's certificate.
		...(isTls ? { rejectUnauthorized: false } : { agent }),
		method: request.method,
		path: upstreamPath(request, service),
		headers: upstreamHeaders(request, service),
		setHost: false,
	});
	response.once("close", () => upstream.destroy());
	const answered = new Promise<IncomingMessage>((resolve, reject) => {
		upstream.once("response", resolve);
		upstream.once("error", reject);
	});
	// A body that breaks off shows as an error of the upstream request.
	pipeline(
		request.body ? Readable.from([request.body]) : request.incoming,
		upstream,
	).catch(() => {});
	const answer = await answered;
	response.writeHead(
		answer.statusCode ?? 502,
		[
			...forwarded(answer.rawHeaders),
			...Object.entries(request.responseHeaders),
			["via", "1.1 kong/local"],
			["x-kong-request-id", request.id],
		].flat(),
	);
	// A backend that breaks off mid-body must not look complete to the client.
	await pipeline(answer, response).catch(() => response.destroy());
}

/** Kong's path handling `v0`: what follows the route's path is joined to the service's. */
function upstreamPath(
	{ url, route }: GatewayRequest,
	{ path = "" }: ServiceEntity,
): string {
	const { strip_path, paths } = route.entity;
	const stripped = strip_path ? bestMatch(paths, url.pathname) : undefined;
	const rest = url.pathname.slice(stripped?.matched.length ?? 0);
	const joined =
		path.replace(/\/$/, "") + (rest && !rest.startsWith("/") ? "/" : "") + rest;
	return (joined || "/") + url.search;
}

function upstreamHeaders(
	request: GatewayRequest,
	service: ServiceEntity,
): Record<string, string[] | string> {
	const { headers, incoming, client, id, url, route } = request;
	const named = namedByConnection(request);
	const kept = [...headers].filter(
		([name]) => !HOP_BY_HOP.includes(name) && !named.has(name),
	);
	const { remoteAddress = "", localPort = 0 } = incoming.socket;
	return {
		...Object.fromEntries(kept),
		...(headers.has("transfer-encoding") && { "transfer-encoding": "chunked" }),
		host: route.entity.preserve_host
			? (headers.get("host") ?? authority(service))
			: authority(service),
		"x-forwarded-for": [
			...(headers.get("x-forwarded-for") ?? []),
			remoteAddress,
		].join(", "),
		"x-forwarded-proto": client ? "https" : "http",
		"x-forwarded-host": (headers.get("host")?.[0] ?? "").replace(/:\d+$/, ""),
		"x-forwarded-port": String(localPort),
		"x-forwarded-path": url.pathname,
		"x-real-ip": remoteAddress,
		"x-kong-request-id": id,
	};
}

/**
 * Names in the `Connection` header, the first one if there are several. Kong removes these headers after all
 * plugins have run, whoever set them (Kong: runloop/handler.lua).
 */
function namedByConnection(request: GatewayRequest): Set<string> {
	const names = request.listedHeader("connection")?.split(",") ?? [];
	return new Set(names.map((name) => name.trim().toLowerCase()));
}

function forwarded(rawHeaders: string[]): string[][] {
	const pairs: string[][] = [];
	for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
		const [name = "", value = ""] = rawHeaders.slice(i, i + 2);
		if (!HOP_BY_HOP.includes(name.toLowerCase())) pairs.push([name, value]);
	}
	return pairs;
}
