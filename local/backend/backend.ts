import { once } from "node:events";
import type { IncomingHttpHeaders, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type HttpBindings, serve } from "@hono/node-server";
import { Hono } from "hono";
import { errors, type JWTPayload, type ProtectedHeaderParameters } from "jose";
import idpKeySet from "../../test-keys/idp-jwks-public.json";
import { close } from "../http";
import {
	type Inspector,
	type InspectorOptions,
	makeInspector,
	now,
} from "../inspector/inspector";
import { tokenVerifier } from "./verify";

/** What the sample backend trusts, and where it listens. */
export interface BackendOptions {
	host: string;
	/** TCP port; 0 takes a free one. */
	port: number;
	/** URL of the gateway's JWK Set. */
	jwksUrl: string;
	issuer: string;
	audience: string;
	/** JWS algorithms that are accepted. */
	algorithms: string[];
	/** How the JWK Set is cached, in milliseconds; as jose does it by default. */
	jwksCache?: { cacheMaxAge: number; cooldownDuration: number };
	/** Told of each request to `/anything`, verified or not. */
	onRequest?: (headers: IncomingHttpHeaders) => void;
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
	headers: IncomingHttpHeaders;
	data: string;
	origin: string | undefined;
	/** The token, as the backend verified it. */
	jwt: { header: ProtectedHeaderParameters; claims: JWTPayload };
}

/** The body of an answer from `/anything` to a request that was not accepted. */
export interface NotAccepted {
	message: string;
	reason: string;
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
	const { issuer, audience, algorithms } = options;
	const expectations = {
		issuer,
		audience,
		algorithms,
		requiredClaims: ["client_id", "jti"],
	};
	const verify = tokenVerifier(
		options.jwksUrl,
		expectations,
		options.jwksCache,
	);
	const inspector = makeInspector(options.inspector, expectations);
	const app = new Hono<{ Bindings: HttpBindings }>();

	// Kong can be made to send /anything/../inspector, which `URL` would take for the inspector.
	app.use(async (context, next) => {
		const [sent] = context.env.incoming.url?.split("?") ?? [];
		const isSame = sent === new URL(context.req.url).pathname;
		return isSame ? next() : context.notFound();
	});
	app.get("/idp/jwks", (context) => context.json(idpKeySet));
	app.get("/idp/.well-known/openid-configuration", (context) =>
		context.json({ issuer: IDP_ISSUER, jwks_uri: `${IDP_ISSUER}/jwks` }),
	);
	app.all("/anything/*", async (context) => {
		const { incoming } = context.env;
		options.onRequest?.(incoming.headers);
		const start = now();
		let verifyMs = 0;
		const answer = (status: 200 | 401 | 502, body: Anything | NotAccepted) => {
			inspector.record(incoming, status, body, start, verifyMs);
			return context.body(`${JSON.stringify(body, null, 2)}\n`, status, {
				"content-type": "application/json",
			});
		};
		try {
			const { protectedHeader, payload } = await verify(
				context.req.header("x-custom-jwt"),
			).finally(() => {
				verifyMs = now() - start;
			});
			return answer(200, {
				method: incoming.method ?? "",
				url: incoming.url ?? "",
				args: context.req.query(),
				headers: incoming.headers,
				data: await context.req.text(),
				origin: incoming.socket.remoteAddress,
				jwt: { header: protectedHeader, claims: payload },
			});
		} catch (error) {
			const isRefused = error instanceof errors.JOSEError;
			return answer(isRefused ? 401 : 502, {
				message: isRefused ? "Unauthorized" : "the JWK Set cannot be had",
				reason: error instanceof Error ? error.message : typeof error,
			});
		}
	});
	app.route("/", inspector.routes);
	app.notFound((context) => context.json({ message: "Not found" }, 404));

	const server = serve({
		fetch: app.fetch,
		hostname: options.host,
		port: options.port,
		overrideGlobalObjects: false,
		serverOptions: { maxHeaderSize: MAX_HEADER_BYTES },
	}) as Server;
	await once(server, "listening");
	return {
		port: (server.address() as AddressInfo).port,
		received: inspector.received,
		close: () => close(server),
	};
}
