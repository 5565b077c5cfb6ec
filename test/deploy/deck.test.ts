import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import type { Anything } from "../../local/backend/backend";
import { type Demo, startDemo } from "../../local/demo/demo";
import { testKey } from "../../local/demo/flows";
import { parseDeclarative } from "../../local/gateway/entities";
import { send } from "../../local/http";
import { packageRoot } from "../../schema/package-root";
import { bundledStockServer, dedicatedServer } from "../support/server";

const FILE = readFileSync(join(packageRoot(), "deck/konnect.yml"), "utf8");
const VARIABLE = "X_CUSTOM_JWT_PRIVATE_JWK";

/** The environment of decK. */
const ENVIRONMENT: Record<string, string> = {
	DECK_ORDERS_URL: "http://httpbin:9000/anything",
	DECK_GATEWAY_URL: "https://kong-gateway:8443",
	DECK_X_CUSTOM_JWT_JWKS: JSON.stringify(
		JSON.parse(testKey("RS256-jwks-public.json")),
	),
};

/** What a data plane gets of deck/konnect.yml, with a client. */
function configuration() {
	const filled = FILE.replace(/\$\{\{ env "(\w+)" \}\}/g, (_, name) => {
		const value = ENVIRONMENT[name];
		if (value === undefined) throw new Error(`${name} is not set`);
		return value;
	});
	const { _konnect, _info, ...file } = parse(filled);
	const consumers = [
		{ username: "alice", keyauth_credentials: [{ key: "alice-key" }] },
	];
	return parseDeclarative(stringify({ ...file, consumers }), "konnect.yml");
}

let demo: Demo;
afterEach(() => demo.close());

/** Starts a data plane with the private key in its environment, or without, and sends a request. */
async function ask(command: string[], privateJwk: string | undefined) {
	const lines: string[] = [];
	if (privateJwk) process.env[VARIABLE] = privateJwk;
	else delete process.env[VARIABLE];
	demo = await startDemo({
		configuration: configuration(),
		pluginServerCommand: command,
		log: (level, message) => lines.push(`[${level}] ${message}`),
	});
	delete process.env[VARIABLE];
	const headers = { apikey: "alice-key" };
	const reply = await send(`${demo.gateway.httpUrl}/orders`, { headers });
	return { ...reply, lines };
}

describe.each([
	{ name: "stock", command: bundledStockServer() },
	{ name: "dedicated", command: dedicatedServer() },
])("deck/konnect.yml on the $name plugin server", ({ command }) => {
	test("gets tokens signed with the key that the vault reference stands for", async () => {
		const { status, body, lines } = await ask(
			command,
			testKey("RS256-jwk-private.json"),
		);
		expect(status).toBe(200);
		const { header, claims } = (JSON.parse(body) as Anything).jwt;
		expect(header.jku).toBe("https://kong-gateway:8443/x-custom-jwt/jwks");
		expect(claims.client_id).toBe("alice-key");
		expect(lines.join("\n")).not.toMatch(/unable to resolve|private_jwk: /);
	});

	test("answers 500 when the reference cannot be resolved, and both Kong and the plugin say so", async () => {
		const { status, body, lines } = await ask(command, undefined);
		expect(status).toBe(500);
		expect(JSON.parse(body).message).toBe("An unexpected error occurred");
		expect(demo.backend.received).toEqual([]);
		expect(lines).toContainEqual(
			expect.stringMatching(
				/^\[warn\] unable to resolve reference \{vault:\/\/env\/x-custom-jwt-private-jwk\}/,
			),
		);
		expect(lines).toContainEqual(
			expect.stringMatching(
				/^\[error\] (starting instance|x-custom-jwt): .*private_jwk: empty/,
			),
		);
	});
});

test("deck/konnect.yml holds no key", () => {
	expect(FILE).not.toMatch(/kty|BEGIN/);
	const [service] = parse(FILE).services;
	const [plugin] = service.plugins;
	expect(plugin.config.private_jwk).toMatch(/^\{vault:\/\/env\/[\w-]+\}$/);
});

test("deck/konnect.yml has the guard of kong.yml", () => {
	const kong = parse(readFileSync(join(packageRoot(), "kong.yml"), "utf8"));
	const guard = (file: typeof kong) => file.services[0].plugins.slice(1);
	expect(guard(parse(FILE))).toEqual(guard(kong));
});
