/** Each example of docs/examples on the local gateway; its token goes to verifiers of others. */

import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import {
	auth,
	requiredScopes,
	UnauthorizedError,
} from "express-oauth2-jwt-bearer";
import { createVerifier } from "fast-jwt";
import { OAuth2Client } from "google-auth-library";
import {
	createRemoteJWKSet,
	decodeProtectedHeader,
	type JWTPayload,
	jwtVerify,
} from "jose";
import { allowInsecureRequests, validateJwtAccessToken } from "oauth4webapi";
import { IDP_ISSUER } from "../../local/backend/backend";
import { type Demo, startDemo } from "../../local/demo/demo";
import { signToken, testKey } from "../../local/demo/flows";
import { parseDeclarative } from "../../local/gateway/entities";
import { send } from "../../local/http";
import { packageRoot } from "../../schema/package-root";
import { run } from "../support/cli";

const EXAMPLES = join(packageRoot(), "docs/examples");
const ISSUER = "https://gateway.example/x-custom-jwt";
const ORDERS = "https://orders.example";
const VARIABLE = "X_CUSTOM_JWT_PRIVATE_JWK";
const API_KEY = "an API key of the examples";

/** What decK would fill in. */
function filledIn(file: string, values: Record<string, string>): string {
	const text = readFileSync(join(EXAMPLES, file), "utf8");
	return text.replaceAll(
		/\$\{\{ env "(\w+)" \}\}/g,
		(_, name) => values[name] ?? "",
	);
}

/** As a YAML text in quotes must be. */
function oneLine(json: string): string {
	return JSON.stringify(JSON.parse(json));
}

/** A Service that keeps the headers of its latest request. */
let orders: Server;
let headers: NodeJS.Dict<string | string[]>;
beforeAll(async () => {
	orders = createServer((request, response) => {
		headers = request.headers;
		response.end("{}");
	}).listen(0);
	await once(orders, "listening");
});
afterAll(() => orders.close());

test("config check finds no fault in them", async () => {
	const files = readdirSync(EXAMPLES).map((file) => join(EXAMPLES, file));
	expect(files).toHaveLength(5);
	for (const file of files) {
		const { code, stdout } = await run(["config", "check", file]);
		expect(stdout).not.toMatch(/ (error|warning): /);
		expect(code).toBe(0);
	}
});

let demo: Demo | undefined;
let jwksUrl: string;
afterEach(() => demo?.close());

/** Runs an example with a key, and sends it a request; gives the token that its Service got. */
async function tokenOf(
	file: string,
	key: "ES256" | "RS256",
	sent: Record<string, string>,
): Promise<string> {
	process.env[VARIABLE] = testKey(`${key}-jwk-private.json`);
	const text = filledIn(file, {
		DECK_JWKS: oneLine(testKey(`${key}-jwks-public.json`)),
		DECK_API_KEY: API_KEY,
	});
	const { port } = orders.address() as AddressInfo;
	demo = await startDemo({
		configuration: parseDeclarative(text, file),
		resolve: [["orders:8080", `localhost:${port}`]],
		log: () => {},
	});
	const { httpUrl } = demo.gateway;
	jwksUrl = `${httpUrl}/x-custom-jwt/jwks`;
	headers = {};
	const { status } = await send(`${httpUrl}/orders/7?q=1`, {
		headers: sent,
	});
	expect(status).toBe(200);
	expect(headers).not.toHaveProperty("apikey");
	return String(headers["x-custom-jwt"] ?? headers.authorization);
}

const withKey = { apikey: API_KEY };
const withToken = async (claims: JWTPayload) => ({
	authorization: `Bearer ${await signToken("idp-jwk-private.json", { iss: IDP_ISSUER, ...claims })}`,
});

test("access-token.yml: a JWT access token, to oauth4webapi and express-oauth2-jwt-bearer", async () => {
	const token = await tokenOf("access-token.yml", "RS256", withKey);
	const request = new Request(`${ORDERS}/7`, {
		headers: { authorization: `Bearer ${token}` },
	});
	const claims = await validateJwtAccessToken(
		{ issuer: ISSUER, jwks_uri: jwksUrl },
		request,
		ORDERS,
		{ [allowInsecureRequests]: true },
	);
	expect(claims).toMatchObject({
		client_id: "web-shop",
		scope: "orders:read",
	});

	const check = expressCheck(jwksUrl);
	expect(await check(token, "orders:read")).toBeUndefined();
	expect(await check(token, "orders:write")).toBeInstanceOf(Error);
	expect(await check(`${token}x`, "orders:read")).toBeInstanceOf(
		UnauthorizedError,
	);
});

test("jwt-svid.yml: a JWT-SVID, with no header parameter that SPIFFE does not know", async () => {
	const token = await tokenOf("jwt-svid.yml", "ES256", withKey);
	expect(decodeProtectedHeader(token)).toEqual({
		alg: "ES256",
		kid: "kong",
		typ: "JWT",
	});
	const { payload } = await jwtVerify(
		token,
		createRemoteJWKSet(new URL(jwksUrl)),
		{ audience: "spiffe://gateway.example/orders", algorithms: ["ES256"] },
	);
	expect(payload.sub).toBe("spiffe://gateway.example/clients/web-shop");
});

test("transaction-token.yml: a Transaction Token, to fast-jwt", async () => {
	const token = await tokenOf(
		"transaction-token.yml",
		"ES256",
		await withToken({
			sub: "alice",
			azp: "shop",
			scope: "read",
			email: "a@b",
		}),
	);
	const verify = createVerifier({
		key: testKey("ES256-public.pem"),
		algorithms: ["ES256"],
		allowedAud: "https://trust-domain.example",
		checkTyp: "txntoken+jwt",
		requiredClaims: ["iat", "exp", "txn", "sub", "scope", "req_wl"],
	});
	const claims = verify(token);
	expect(claims).toMatchObject({
		sub: "alice",
		scope: "read",
		req_wl: "orders",
		client_id: "shop",
		idp: IDP_ISSUER,
		tctx: { method: "GET", path: "/orders/7" },
		rctx: { req_ip: expect.stringMatching(/^[\d.:a-f]+$/) },
	});
	expect(claims.txn).toBe(headers["x-kong-request-id"]);
	expect(claims).not.toHaveProperty("email");
	expect(claims.exp - claims.iat).toBeLessThanOrEqual(60);
});

test("delegation.yml: who acts for the user, prior actors nested, to fast-jwt", async () => {
	const act = { client_id: "mobile-app" };
	const token = await tokenOf(
		"delegation.yml",
		"ES256",
		await withToken({ sub: "alice", clientId: "shop", act }),
	);
	const verify = createVerifier({
		key: testKey("ES256-public.pem"),
		algorithms: ["ES256"],
		allowedAud: ORDERS,
		allowedIss: ISSUER,
		requiredClaims: ["sub", "act"],
	});
	const { act: actor, ...claims } = verify(token);
	expect(claims).toMatchObject({ sub: "alice", idp: IDP_ISSUER });
	expect(actor).toEqual({ client_id: expect.any(String), act });
});

test("service-token.yml: a service token, to google-auth-library", async () => {
	const authorization = await tokenOf("service-token.yml", "RS256", withKey);
	const [scheme, token = ""] = authorization.split(" ");
	expect(scheme).toBe("Bearer");
	const client = new OAuth2Client();
	const certificates = { kong: testKey("RS256-public.pem") };
	const verify = (audience: string) =>
		client.verifySignedJwtWithCertsAsync(token, certificates, audience, [
			ISSUER,
		]);
	const payload = (await verify(ORDERS)).getPayload();
	expect(payload).toMatchObject({
		email: "web-shop@clients.gateway.example",
		email_verified: true,
		azp: payload?.sub,
	});
	await expect(verify("https://other.example")).rejects.toThrow("audience");
});
/** The middleware of express-oauth2-jwt-bearer, which demands RFC 9068; gives the error it ends a request with. */
function expressCheck(jwksUri: string) {
	const check = auth({
		issuer: ISSUER,
		audience: ORDERS,
		jwksUri,
		tokenSigningAlg: "RS256",
		strict: true,
	});
	return async (token: string, scope: string): Promise<unknown> => {
		const request = {
			method: "GET",
			protocol: "https",
			originalUrl: "/7",
			get: (name: string) => (name === "Host" ? "orders.example" : undefined),
			headers: { authorization: `Bearer ${token}` },
			query: {},
			is: () => false,
		};
		const run = (handler: typeof check) =>
			new Promise((resolve) =>
				handler(request as never, {} as never, resolve as never),
			);
		return (await run(check)) ?? run(requiredScopes(scope));
	};
}
