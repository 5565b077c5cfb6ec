import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { starter } from "../../cli/starter";
import type { Anything } from "../../local/backend/backend";
import { type Demo, startDemo } from "../../local/demo/demo";
import { testKey } from "../../local/demo/flows";
import { parseDeclarative } from "../../local/gateway/entities";
import { send } from "../../local/http";
import { packageRoot } from "../../schema/package-root";

const read = (path: string) => readFileSync(join(packageRoot(), path), "utf8");
const FILE = read("deck/konnect.yml");
const VARIABLE = "X_CUSTOM_JWT_PRIVATE_JWK";

/** The environment of decK. */
const ENVIRONMENT: Record<string, string> = {
	DECK_CONTROL_PLANE: "test",
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

let demo: Demo | undefined;
afterEach(async () => {
	await demo?.close();
	demo = undefined;
});

/** Starts a data plane with the private key in its environment, or without, and sends a request. */
async function ask(privateJwk: string | undefined) {
	const lines: string[] = [];
	if (privateJwk) process.env[VARIABLE] = privateJwk;
	else delete process.env[VARIABLE];
	demo = await startDemo({
		configuration: configuration(),
		jwksPath: "/x-custom-jwt/orders-jwks",
		log: (level, message) => lines.push(`[${level}] ${message}`),
	});
	delete process.env[VARIABLE];
	const headers = { apikey: "alice-key" };
	const reply = await send(`${demo.gateway.httpUrl}/orders`, { headers });
	return { ...reply, lines };
}

describe("deck/konnect.yml", () => {
	test("gets tokens signed with the key that the vault reference stands for", async () => {
		const { status, body, lines } = await ask(
			testKey("RS256-jwk-private.json"),
		);
		expect(status).toBe(200);
		const { header, claims } = (JSON.parse(body) as Anything).jwt;
		expect(header.jku).toBe(
			"https://kong-gateway:8443/x-custom-jwt/orders-jwks",
		);
		expect(claims.client_id).toBe("alice-key");
		expect(lines.join("\n")).not.toMatch(/unable to resolve|private_jwk: /);
	});

	test("answers 500 when the reference cannot be resolved, and both Kong and the plugin say so", async () => {
		const { status, body, lines } = await ask(undefined);
		expect(status).toBe(500);
		expect(JSON.parse(body).message).toBe("An unexpected error occurred");
		expect(demo?.backend.received).toEqual([]);
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
	const kong = parse(read("kong.yml"));
	const guard = (file: typeof kong) => file.services[0].plugins.slice(1);
	expect(guard(parse(FILE))).toEqual(guard(kong));
});

/** An entity of declarative configuration, as far as these tests read it. */
interface Entity {
	name?: string;
	username?: string;
	protocols?: string[];
	paths?: string[];
	config?: Record<string, unknown>;
	routes?: Entity[];
	plugins?: Entity[];
}

/** All entities of one kind, those within others too. */
function entities(file: Record<string, Entity[]>, kind: "routes" | "plugins") {
	const within = (list: Entity[] = []): Entity[] =>
		list.flatMap((entity) => [
			...(entity[kind] ?? []),
			...within(entity.routes),
		]);
	return [
		...(file[kind] ?? []),
		...within(file.services),
		...within(file.routes),
		...within(file.consumers),
	];
}

const EXAMPLES = readdirSync(join(packageRoot(), "docs/examples"));
const STARTER = starter(
	{
		service: "orders",
		url: "http://orders:8080",
		gateway: "https://api.example.com",
		discovery: true,
	},
	JSON.parse(testKey("RS256-jwk-public.json")),
).text;

/** Whose `hide_credentials` is true by default since Kong 3.14 (developer.konghq.com, breaking changes of 3.14.0.0). */
const HIDING = [
	"basic-auth",
	"hmac-auth",
	"key-auth",
	"key-auth-enc",
	"ldap-auth",
	"ldap-auth-advanced",
	"oauth2",
	"oauth2-introspection",
	"openid-connect",
	"vault-auth",
];

describe.each([
	...[
		"kong.yml",
		"kong-enterprise.yml",
		"deck/guard.yml",
		"deck/konnect.yml",
		...EXAMPLES.map((file) => `docs/examples/${file}`),
	].map((name) => ({ name, text: read(name) })),
	{ name: "what init writes", text: STARTER },
])("$name means the same in Kong 3.4 to 3.14 and to decK:", ({ text }) => {
	const plugins = entities(parse(text), "plugins");

	test("each route says its protocols, which are https alone by default since 3.14", () => {
		for (const { name, protocols } of entities(parse(text), "routes"))
			expect({ name, protocols }).toEqual({
				name,
				protocols: expect.arrayContaining(["https"]),
			});
	});

	test("each security plugin says whether the backend gets its credentials", () => {
		for (const { name = "", config } of plugins)
			if (HIDING.includes(name))
				expect({ name, hides: config?.hide_credentials }).toEqual({
					name,
					hides: name !== "openid-connect",
				});
	});

	test("openid-connect has the salt without which decK 1.59 and later refuse it", () => {
		for (const { name, config } of plugins)
			if (name === "openid-connect")
				expect(config?.cache_tokens_salt).toMatch(/./);
	});
});

test("the files of one control plane do not collide: all names and paths are different", () => {
	const files = ["kong.yml", "kong-enterprise.yml", "deck/konnect.yml"].map(
		(name) => parse(read(name)),
	);
	const all = {
		services: files.flatMap(({ services }) => services),
		consumers: files.flatMap(({ consumers = [] }) => consumers),
		routes: files.flatMap((file) => entities(file, "routes")),
	};
	for (const list of Object.values(all)) {
		const names = list.map(({ name, username }) => name ?? username);
		expect(names).toEqual([...new Set(names)]);
	}
	const paths = all.routes.flatMap((route) => route.paths);
	expect(paths).toEqual([...new Set(paths)]);
});
