import { once } from "node:events";
import type { IncomingHttpHeaders, IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type HttpBindings, serve } from "@hono/node-server";
import { type Context, Hono } from "hono";
import {
	errors,
	type JWTPayload,
	type JWTVerifyResult,
	type ProtectedHeaderParameters,
} from "jose";
import idpKeySet from "../../test-keys/idp-jwks-public.json";
import { close } from "../http";
import {
	type Inspector,
	type InspectorOptions,
	makeInspector,
	now,
} from "../inspector/inspector";
import { type Expectations, tokenVerifier } from "./verify";

/** What the sample backend trusts, and where it listens. */
export interface BackendOptions {
	host: string;
	/** TCP port; 0 takes a free one. */
	port: number;
	/** URL of the gateway's JWK Set. */
	jwksUrl: string;
	issuer: Expectations["issuer"];
	audience: Expectations["audience"];
	/** JWS algorithms that are accepted. */
	algorithms: string[];
	/** How the JWK Set is cached, in milliseconds; as jose does it by default. */
	jwksCache?: { cacheMaxAge: number; cooldownDuration: number };
	/** What a request needs, where it is not what is said above. */
	acceptanceOf?: (request: IncomingMessage) => Acceptance | undefined;
	/** Whether to answer requests to any path too, on a port of its own. */
	answersAnyPath?: boolean;
	/** Told of each request to `/anything`, verified or not. */
	onRequest?: (headers: IncomingHttpHeaders) => void;
	inspector: InspectorOptions;
}

/** What a request needs to be accepted. */
export interface Acceptance {
	/** The header with the token, in lower case, maybe behind a prefix as in `Authorization`. */
	header: string;
	/** Whether a request without a token is accepted too. */
	isOptional: boolean;
	expectations: Expectations;
	/** @throws a `JOSEError` for a token that must not be trusted, another error when it cannot be verified */
	verify(token: string | undefined): Promise<JWTVerifyResult>;
}

/** A running backend. */
export interface Backend {
	port: number;
	/** Of the listener that answers any path; 0 without one. */
	anyPathPort: number;
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

/** Any body of an answer from `/anything`; one without `jwt` and `reason` is to a request that needs no token and had none. */
export type Answer = Anything | Omit<Anything, "jwt"> | NotAccepted;

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
	const byDefault: Acceptance = {
		header: "x-custom-jwt",
		isOptional: false,
		expectations,
		verify: tokenVerifier(options.jwksUrl, expectations, options.jwksCache),
	};
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
	const anything = async (context: Context<{ Bindings: HttpBindings }>) => {
		const { incoming } = context.env;
		options.onRequest?.(incoming.headers);
		const own = options.acceptanceOf?.(incoming);
		const { header, isOptional, verify } = own ?? byDefault;
		const token = context.req.header(header)?.split(" ").at(-1);
		const start = now();
		let verifyMs = 0;
		const answer = (status: 200 | 401 | 502, body: Answer) => {
			inspector.record(incoming, {
				status,
				body,
				token,
				time: start,
				verifyMs,
				expectations: own?.expectations,
			});
			return context.body(`${JSON.stringify(body, null, 2)}\n`, status, {
				"content-type": "application/json",
			});
		};
		const received = async () => ({
			method: incoming.method ?? "",
			url: incoming.url ?? "",
			args: context.req.query(),
			headers: incoming.headers,
			data: await context.req.text(),
			origin: incoming.socket.remoteAddress,
		});
		if (isOptional && token === undefined) return answer(200, await received());
		try {
			const { protectedHeader, payload } = await verify(token).finally(() => {
				verifyMs = now() - start;
			});
			return answer(200, {
				...(await received()),
				jwt: { header: protectedHeader, claims: payload },
			});
		} catch (error) {
			const isRefused = error instanceof errors.JOSEError;
			return answer(isRefused ? 401 : 502, {
				message: isRefused ? "Unauthorized" : "the JWK Set cannot be had",
				reason: error instanceof Error ? error.message : typeof error,
			});
		}
	};
	app.all("/anything/*", anything);
	app.route("/", inspector.routes);
	app.notFound((context) => context.json({ message: "Not found" }, 404));

	const listen = async (
		fetch: typeof app.fetch,
		port: number,
	): Promise<Server> => {
		const server = serve({
			fetch,
			hostname: options.host,
			port,
			overrideGlobalObjects: false,
			serverOptions: { maxHeaderSize: MAX_HEADER_BYTES },
		}) as Server;
		await once(server, "listening");
		return server;
	};
	const servers = [await listen(app.fetch, options.port)];
	if (options.answersAnyPath) {
		const echo = new Hono<{ Bindings: HttpBindings }>().all("*", anything);
		servers.push(await listen(echo.fetch, 0));
	}
	const [port = 0, anyPathPort = 0] = servers.map(
		(server) => (server.address() as AddressInfo).port,
	);
	return {
		port,
		anyPathPort,
		received: inspector.received,
		close: async () => {
			await Promise.all(servers.map(close));
		},
	};
}
