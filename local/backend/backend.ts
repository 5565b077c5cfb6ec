import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import {
	createRemoteJWKSet,
	errors,
	type JWTPayload,
	type JWTVerifyResult,
	jwtVerify,
	type ProtectedHeaderParameters,
} from "jose";
import idpKeySet from "../../test-keys/idp-jwks-public.json";
import {
	type Inspector,
	type InspectorOptions,
	makeInspector,
} from "../inspector/inspector";

/** What the sample backend trusts, and where it listens. */
export interface BackendOptions {
	host: string;
	/** TCP port; 0 takes a free one. */
	port: number;
	/** URL of the gateway's JWK Set. The URL in a token's own `jku` is never used. */
	jwksUrl: string;
	issuer: string;
	audience: string;
	/** JWS algorithms that are accepted. */
	algorithms: string[];
	/** How the JWK Set is cached, in milliseconds; as jose does it by default. */
	jwksCache?: { cacheMaxAge: number; cooldownDuration: number };
	/** Told of each request to `/anything`, verified or not. */
	onRequest?: (headers: IncomingMessage["headers"]) => void;
	inspector: InspectorOptions;
}

/** A running backend. */
export interface Backend {
	port: number;
	/** The latest requests that reached it, verified or not. */
	received: Inspector["received"];
	close(): Promise<void>;
}

/** The body of an answer from `/anything`. */
export interface Anything {
	method: string;
	url: string;
	args: Record<string, string>;
	headers: IncomingMessage["headers"];
	data: string;
	origin: string | undefined;
	/** The token, as the backend verified it. */
	jwt: { header: ProtectedHeaderParameters; claims: JWTPayload };
}

/** Base URL of the test identity provider, as clients' tokens and kong.yml name it. */
export const IDP_ISSUER = "http://httpbin:9000/idp";

/** A token of the gateway may be as long as the claims copied into it. */
const MAX_HEADER_BYTES = 64 * 1024;

/**
 * Starts the sample backend: what a real one does with the header `X-Custom-Jwt`. `/anything`
 * answers what it got, and 401 to every request without a token that verifies. It is also the test
 * identity provider: `/idp/jwks` and its discovery document. At `/` is the inspector page.
 */
export async function startBackend(options: BackendOptions): Promise<Backend> {
	const keySet = createRemoteJWKSet(
		new URL(options.jwksUrl),
		options.jwksCache,
	);
	const { issuer, audience, algorithms } = options;
	const expectations = {
		issuer,
		audience,
		algorithms,
		requiredClaims: ["client_id", "jti"],
	};
	const inspector = makeInspector(options.inspector, expectations);

	async function answer(
		request: IncomingMessage,
	): Promise<{ status: number; body: object }> {
		const url = new URL(request.url ?? "/", "http://backend");
		if (url.pathname === "/idp/jwks") return { status: 200, body: idpKeySet };
		if (url.pathname === "/idp/.well-known/openid-configuration")
			return {
				status: 200,
				body: { issuer: IDP_ISSUER, jwks_uri: `${IDP_ISSUER}/jwks` },
			};
		if (!url.pathname.startsWith("/anything"))
			return { status: 404, body: { message: "Not found" } };
		options.onRequest?.(request.headers);
		const data = await text(request);
		let verified: JWTVerifyResult;
		try {
			verified = await jwtVerify(
				String(request.headers["x-custom-jwt"]),
				keySet,
				expectations,
			);
		} catch (error) {
			if (!(error instanceof errors.JOSEError)) throw error;
			return {
				status: 401,
				body: { message: "Unauthorized", reason: error.message },
			};
		}
		const anything: Anything = {
			method: request.method ?? "",
			url: request.url ?? "",
			args: Object.fromEntries(url.searchParams),
			headers: request.headers,
			data,
			origin: request.socket.remoteAddress,
			jwt: { header: verified.protectedHeader, claims: verified.payload },
		};
		return { status: 200, body: anything };
	}

	const server = createServer(
		{ maxHeaderSize: MAX_HEADER_BYTES },
		async (request, response) => {
			if (inspector.handle(request, response)) return;
			const { status, body } = await answer(request).catch((error: Error) => ({
				status: 502,
				body: { message: "the JWK Set cannot be had", reason: error.message },
			}));
			if (request.url?.startsWith("/anything"))
				inspector.record(request, status, body);
			response.writeHead(status, { "content-type": "application/json" });
			response.end(`${JSON.stringify(body, null, 2)}\n`);
		},
	);
	server.listen(options.port, options.host);
	await once(server, "listening");
	return {
		port: (server.address() as AddressInfo).port,
		received: inspector.received,
		close: async () => {
			const closed = once(server, "close");
			server.close();
			server.closeAllConnections();
			await closed;
		},
	};
}
