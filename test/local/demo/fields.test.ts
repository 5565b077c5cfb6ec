/** What the claims, sizes and times of a token can be made to be, through the gateway, on both plugin servers. */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { decodeProtectedHeader, type JWTPayload, jwtVerify } from "jose";
import { IDP_ISSUER } from "../../../local/backend/backend";
import { type Demo, startDemo } from "../../../local/demo/demo";
import { signToken, testKey } from "../../../local/demo/flows";
import { parseDeclarative } from "../../../local/gateway/entities";
import {
	dedicatedServer,
	stockServer,
} from "../../../local/gateway/plugin-server";
import { send } from "../../../local/http";

/** 32 bytes of no base64url, as a key of the Lua plugin may be. */
const SECRET = "the text of a key: 32 bytes*?.é";

const ROUTES: Record<string, { auth: string; config: object }> = {
	skew: {
		auth: "key-auth",
		config: { issued_at_skew: 30, not_before: 0, reuse_for: 60 },
	},
	limited: { auth: "jwt", config: { max_token_size: 2000 } },
	unlimited: { auth: "jwt", config: {} },
	clients: {
		auth: "jwt",
		config: {
			set_claims: { client_id: "$(claims.azp or claims.app.id)" },
		},
	},
	values: {
		auth: "jwt",
		config: {
			set_claims: {
				tags: "$(consumer.tags or [])",
				level: "$(claims.level or 0)",
				name: "$(claims['full name'])",
				request: '["$(request.method)", "$(request.path)", "$(request.id)"]',
			},
		},
	},
	uris: {
		auth: "key-auth",
		config: { iss: "urn:example:gw", jku: "", audience_as_array: true },
	},
	text: {
		auth: "key-auth",
		config: {
			hmac_key_is_text: true,
			private_jwk: JSON.stringify({ kty: "oct", alg: "HS256", k: SECRET }),
		},
	},
};

const CONFIGURATION = JSON.stringify({
	_format_version: "3.0",
	services: [
		{
			name: "ipv6",
			url: "http://[::1]:8080/v1",
			routes: Object.entries(ROUTES).map(([name, { auth, config }]) => ({
				name,
				paths: [`/${name}`],
				plugins: [
					{ name: auth },
					{
						name: "x-custom-jwt",
						config: {
							private_jwk: testKey("ES256-jwk-private.json"),
							...config,
						},
					},
				],
			})),
		},
	],
	consumers: [
		{
			username: "alice",
			keyauth_credentials: [{ key: "alice-key" }],
			jwt_secrets: [
				{
					key: IDP_ISSUER,
					algorithm: "RS256",
					rsa_public_key: testKey("idp-public.pem"),
				},
			],
		},
	],
});

describe.each([
	["stock", stockServer()],
	["dedicated", dedicatedServer()],
])("on the %s plugin server", (_, pluginServerCommand) => {
	let demo: Demo;
	let backend: Server;
	let token: string | undefined;
	const log: string[] = [];

	beforeAll(async () => {
		backend = createServer((request, response) => {
			token = String(request.headers["x-custom-jwt"]);
			response.end();
		}).listen(0);
		await once(backend, "listening");
		const { port } = backend.address() as AddressInfo;
		demo = await startDemo({
			configuration: parseDeclarative(CONFIGURATION, "fields.json"),
			pluginServerCommand,
			resolve: [["[::1]:8080", `localhost:${port}`]],
			log: (level, message) => log.push(`[${level}] ${message}`),
		});
	});
	afterAll(async () => {
		await demo.close();
		backend.close();
	});

	async function get(route: string, headers: Record<string, string>) {
		token = undefined;
		log.length = 0;
		const url = `${demo.gateway.httpUrl}/${route}/a%20b`;
		return send(url, { headers });
	}
	const byKey = (route: string) => get(route, { apikey: "alice-key" });
	const byToken = async (route: string, claims: JWTPayload) => {
		const bearer = await signToken("idp-jwk-private.json", {
			iss: IDP_ISSUER,
			clientId: "shop",
			...claims,
		});
		return get(route, { authorization: `Bearer ${bearer}` });
	};
	const verified = (key = "ES256-jwk-public.json") =>
		jwtVerify(token ?? "", JSON.parse(testKey(key)));

	test("no request goes on whose token Kong would drop, wherever its header Connection stands", async () => {
		for (const count of [0, 98, 99, 100, 101]) {
			const fillers = Array.from({ length: count }, (_, i) => [`x-${i}`, "1"]);
			const { status } = await get("skew", {
				apikey: "alice-key",
				...Object.fromEntries(fillers),
				connection: "keep-alive, X-Custom-Jwt",
			});
			expect([status, token]).toEqual([400, undefined]);
		}
	});

	test("issued_at_skew makes iat and nbf earlier, for a token given again too", async () => {
		await byKey("skew");
		const first = token;
		const { payload } = await verified();
		const { iat = 0, nbf, exp = 0 } = payload;
		expect([exp - iat, nbf]).toEqual([1830, iat]);
		await byKey("skew");
		expect(token).toBe(first);
	});

	test("max_token_size refuses a token of many groups; without it there is one warning", async () => {
		const groups = Array.from({ length: 400 }, (_, i) => `group-${i}-of-many`);
		const refused = await byToken("limited", { groups });
		expect(refused.status).toBe(500);
		expect(token).toBeUndefined();
		expect(log.join()).toMatch(
			/more than max_token_size; largest claims: "groups" \(\d+ bytes\)/,
		);
		expect((await byToken("limited", {})).status).toBe(200);

		for (const warnings of [1, 0]) {
			// Node.js refuses it: all headers together have more than 16 KB.
			expect((await byToken("unlimited", { groups })).status).toBe(431);
			const about = log.filter((line) => line.includes("max_token_size"));
			expect(about).toHaveLength(warnings);
		}
	});

	test("the client may be named by several claims, nested ones too", async () => {
		await byToken("clients", { azp: "web", app: { id: "seven" } });
		expect((await verified()).payload.client_id).toBe("web");
		await byToken("clients", { app: { id: "seven" } });
		expect((await verified()).payload.client_id).toBe("seven");
		expect((await byToken("clients", {})).status).toBe(401);
	});

	test("defaults keep their type, names have spaces, and the request is named", async () => {
		const { headers } = await byToken("values", { "full name": "Alice A" });
		expect((await verified()).payload).toMatchObject({
			tags: [],
			level: 0,
			name: "Alice A",
			request: ["GET", "/values/a%20b", headers["x-kong-request-id"]],
		});
	});

	test("iss is any URI, aud an array with an IPv6 address in brackets, and no jku is needed", async () => {
		await byKey("uris");
		expect((await verified()).payload).toMatchObject({
			iss: "urn:example:gw",
			aud: ["http://[::1]:8080/v1"],
		});
		expect(decodeProtectedHeader(token ?? "")).not.toHaveProperty("jku");
	});

	test("an HMAC key may be its text, as a secret of Kong's is", async () => {
		await byKey("text");
		await jwtVerify(token ?? "", Buffer.from(SECRET));
	});
});
