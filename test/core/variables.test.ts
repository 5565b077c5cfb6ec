import { CREDENTIAL } from "../../core/questions";
import {
	namedVariables,
	readVariables,
	requireVariable,
	VARIABLES,
	variableQuestions,
} from "../../core/variables";
import { AskedFacts } from "../../plugins/x-custom-jwt/facts";
import { nodePlatform } from "../../plugins/x-custom-jwt/platform";
import { pages } from "../docs/pages";
import { asking, type KnownRequest } from "../support/facts";
import { invalid } from "../support/refusals";
import { claimsFor, run } from "../support/run";
import {
	API_KEY,
	bearer,
	clientToken,
	consumer,
	credentials,
	requests,
	route,
	service,
} from "../support/samples";

/** Every variable that is no header, query parameter or claim. */
const ENTITY_VARIABLES = [
	"consumer.id",
	"consumer.username",
	"consumer.custom_id",
	"consumer.tags",
	"credential.id",
	"service.id",
	"service.name",
	"route.id",
	"route.name",
	"client.ip",
];

const check = (variable: string, apikey_header = "apikey") =>
	requireVariable(variable, "config/subject", { apikey_header });

const request: KnownRequest = {
	credential: credentials.basic,
	consumer: { ...consumer, tags: ["gold", "eu"] },
	service: { ...service, name: "orders" },
	route,
	ip: "192.0.2.7",
	headers: { "x-tenant-id": "acme", "x-empty": "" },
	method: "GET",
	vars: { kong_request_id: "0123abcd" },
	url: "http://kong:8000/orders?q=books&q=music&empty=&amp=%26",
};

/** Reads variables of a request; also tells what was asked for them. */
async function read(
	variables: string[],
	{ claims = {}, of = request }: { claims?: object; of?: KnownRequest } = {},
) {
	const { ask, rounds } = asking(of);
	const facts = new AskedFacts(ask);
	await facts.learn([CREDENTIAL, ...variableQuestions(variables)]);
	const identity = {
		method: "jwt" as const,
		clientId: "web-shop",
		tokenClaims: { ...claims },
		consumer: of.consumer,
	};
	const sources = { facts, identity, platform: nodePlatform };
	return {
		values: readVariables(namedVariables(variables), sources),
		asked: rounds.flat().filter((name) => name !== "credential"),
	};
}

describe("a variable", () => {
	test.each([
		["consumer.id", consumer.id, []],
		["consumer.username", "alice", []],
		["consumer.custom_id", "alice-custom-id", []],
		["consumer.tags", ["gold", "eu"], []],
		["credential.id", credentials.basic.id, []],
		["service.id", service.id, ["service"]],
		["service.name", "orders", ["service"]],
		["route.id", route.id, ["route"]],
		["route.name", route.name, ["route"]],
		["client.ip", "192.0.2.7", ["forwarded_ip"]],
		["headers.x-tenant-id", "acme", ["header x-tenant-id"]],
		["headers.X-Tenant-Id", "acme", ["header X-Tenant-Id"]],
		["headers.x-empty", "", ["header x-empty"]],
		["request.id", "0123abcd", ["variable kong_request_id"]],
		["request.method", "GET", ["method"]],
		["request.path", "/orders", ["path"]],
		["query_params.q", "books", ["query q"]],
		["query_params.empty", "", ["query empty"]],
		["query_params.amp", "&", ["query amp"]],
	])("%s is %j, for the questions %j", async (variable, value, asked) => {
		check(variable);
		expect(await read([variable])).toEqual({
			values: { [variable]: value },
			asked,
		});
	});

	test.each([
		...ENTITY_VARIABLES,
		"headers.x-none",
		"query_params.none",
		"claims.none",
	])("%s has no value when Kong has none", async (variable) => {
		expect((await read([variable], { of: {} })).values).toEqual({});
	});

	test("has no value when Kong has null", async () => {
		const of = {
			consumer: { id: "1", username: null, custom_id: null, tags: null },
			service: { ...service, name: null },
			route: { id: "1", name: null },
		};
		expect((await read(ENTITY_VARIABLES, { of })).values).toEqual({
			"consumer.id": "1",
			"service.id": service.id,
			"route.id": "1",
		});
	});

	test("that is a query parameter without value is true", async () => {
		const of = { url: "http://kong:8000/?debug" };
		const { values } = await read(["query_params.debug"], { of });
		expect(values).toEqual({ "query_params.debug": true });
	});
});

describe("a claim", () => {
	const claims = {
		sub: "alice",
		n: 0,
		none: null,
		realm_access: { roles: ["admin"], "a.b": 1 },
		"https://example.com/roles": ["editor"],
		"https://example.com/org": { unit: "eu" },
		"a.b": { c: "of the whole name" },
		a: { "b.c": "in parts" },
		list: [{ id: 7 }],
	};

	test.each([
		["claims.sub", "alice"],
		["claims.n", 0],
		["claims.realm_access", claims.realm_access],
		["claims.realm_access.roles", ["admin"]],
		["claims.realm_access.a.b", 1],
		["claims.https://example.com/roles", ["editor"]],
		["claims.https://example.com/org.unit", "eu"],
		["claims.a.b", { c: "of the whole name" }],
		["claims.list.0.id", 7],
	])(
		"is named by its path, dots in names included: %s",
		async (variable, value) => {
			check(variable);
			expect(await read([variable], { claims })).toEqual({
				values: { [variable]: value },
				asked: [],
			});
		},
	);

	test.each(
		[
			"none other sub.length sub.x n.toFixed realm_access. .sub sub.",
			"realm_access..roles https://example.com/org.x constructor",
			"constructor.name __proto__ toString __proto__.constructor",
			"realm_access.__proto__ realm_access.constructor hasOwnProperty",
			"prototype list.map list.length list.1 list.00 list.-1 list.0.5",
		].flatMap((line) => line.split(" ")),
	)("has no value that the token does not: %s", async (name) => {
		expect((await read([`claims.${name}`], { claims })).values).toEqual({});
	});

	test("is found below the longest name there is", async () => {
		const of = { a: { x: 1 }, "a.b": { c: 2 } };
		expect((await read(["claims.a.b.c"], { claims: of })).values).toEqual({
			"claims.a.b.c": 2,
		});
	});

	test("may be called as every object's members are", async () => {
		const own = JSON.parse(
			'{"__proto__": {"constructor": 1}, "constructor": 2, "length": 3}',
		);
		const variables = [
			"claims.__proto__.constructor",
			"claims.constructor",
			"claims.length",
		];
		// No backend in JavaScript could read the first one either.
		expect((await read(variables, { claims: own })).values).toEqual({
			"claims.constructor": 2,
			"claims.length": 3,
		});
	});
});

describe("a configuration is refused", () => {
	test.each(
		[
			"user consumer consumer. consumer.password consumer.key Consumer.id",
			"credential credential.key credential.password credential.secret",
			"credential.client_secret credential.consumer.id credential.jwt_secret",
			"service.host route.paths client client.port headers headers. HEADERS.x",
			"header.x query.q query_params query_params. claims claims. .sub .",
			"config.iss config.private_jwk env.PATH vault.x ctx.shared.x",
			"constructor __proto__ constructor.name toString or",
		].flatMap((line) => line.split(" ")),
	)("when $(%s) is unknown, with the names there are", (variable) => {
		const known = VARIABLES.map(({ name }) => name).join(", ");
		const message = `config/subject: $(${variable}) is unknown; there are ${known}`;
		expect(() => check(variable)).toThrow(invalid(message));
	});

	test.each([
		["headers.authorization", "apikey"],
		["headers.Authorization", "apikey"],
		["headers.AUTHORIZATION", "apikey"],
		["headers.proxy-authorization", "apikey"],
		["headers.Proxy_Authorization", "apikey"],
		["headers.cookie", "apikey"],
		["headers.Cookie", "apikey"],
		["headers.ApiKey", "apikey"],
		["headers.apikey", "x-key"],
		["headers.X-Key", "x-key"],
		["headers.x_key", "X-Key"],
		["headers.x-key", "X_KEY"],
		["query_params.apikey", "apikey"],
		["query_params.x-key", "X-Key"],
		["query_params.jwt", "apikey"],
		["query_params.access_token", "apikey"],
	])(
		"when $(%s) would hold what authenticates the client, apikey_header being %s",
		(variable, apikey_header) => {
			const refused = () => check(variable, apikey_header);
			expect(refused).toThrow(
				invalid(
					`config/subject: $(${variable}) holds what authenticates the client`,
				),
			);
		},
	);

	test("not when apikey_header is called like a member", () => {
		for (const name of ["id", "username", "name", "ip", "tags"])
			for (const variable of ENTITY_VARIABLES)
				expect(() => check(variable, name)).not.toThrow();
	});

	test("not when a claim is called like a header that would", () => {
		for (const name of ["authorization", "cookie", "apikey", "jwt"])
			expect(() => check(`claims.${name}`)).not.toThrow();
	});
});

describe("a client's secret gets into no claim, whatever it is sent as:", () => {
	const OTHER_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2ln";

	test.each<[string, KnownRequest, string]>([
		[
			"its API key in a header",
			{ ...requests.key, headers: { "x-copy": API_KEY } },
			API_KEY,
		],
		[
			"its API key in the query",
			{ ...requests.key, url: `http://kong/?copy=${API_KEY}` },
			API_KEY,
		],
		[
			"its token in a header",
			{ ...requests.jwt, headers: { "x-copy": clientToken } },
			clientToken,
		],
		[
			"its token with the scheme",
			{ ...requests.oidc, headers: { "x-copy": `Bearer ${clientToken}` } },
			clientToken,
		],
		[
			"its token in the query",
			{ ...requests.jwt, url: `http://kong/?copy=${clientToken}` },
			clientToken,
		],
		[
			"a signed token of whoever",
			{ ...requests.basic, headers: { "x-copy": OTHER_TOKEN } },
			OTHER_TOKEN,
		],
	])("%s is 401, and nobody is told it", async (_, request, secret) => {
		for (const config of [
			{ add_claims: { copy: "$(headers.x-copy)$(query_params.copy or '')" } },
			{
				set_claims: {
					a: '[{"b": "$(query_params.copy)"}]',
					c: "$(headers.x-copy)",
				},
			},
			{
				subject: "$(headers.x-copy or 'none')",
				audience: ["$(query_params.copy or 'none')"],
			},
		]) {
			const auth_methods = ["basic", "jwt", "key", "oidc"];
			const seen = await run(
				{ ...request, headers: { ...bearer(clientToken), ...request.headers } },
				{ ...config, auth_methods, verbose: true },
			);
			expect(seen.exit).toMatchObject({ status: 401 });
			expect(seen.logs[0]?.message).toMatch(
				/^\$\((headers.x-copy|query_params.copy)\) holds an API key or a token/,
			);
			expect(JSON.stringify(seen)).not.toContain(secret);
			expect(seen.upstreamHeaders).toEqual({});
		}
	});

	const encode = (text: string) => Buffer.from(text).toString("base64url");

	test.each<[string, KnownRequest]>([
		[
			"a token whose header's JSON has a space",
			{
				...requests.basic,
				headers: { "x-copy": `${encode('{ "alg": "HS256" }')}.e30.c2ln` },
			},
		],
		[
			"an encrypted token",
			{
				...requests.basic,
				headers: { "x-copy": `${encode('{"alg":"dir"}')}..aXY.Y2lwaGVy.dGFn` },
			},
		],
		[
			"an opaque token with its scheme",
			{
				...requests.basic,
				headers: { "x-copy": "Bearer 2YotnFZFEjr1zCsicMWp" },
			},
		],
		[
			"a password with its scheme",
			{ ...requests.basic, headers: { "x-copy": "basic bXktdXNlcjpwYXNz" } },
		],
		[
			"its API key, which the credential does not hold",
			{
				credential: credentials.idOnly,
				service,
				headers: { apikey: API_KEY, "x-copy": API_KEY },
			},
		],
	])("%s is 401", async (_, request) => {
		const auth_methods = [
			request.credential === credentials.idOnly ? "key" : "basic",
		];
		const config = { add_claims: { copy: "$(headers.x-copy)" }, auth_methods };
		expect((await run(request, config)).exit?.status).toBe(401);
	});

	const withKey = (key: string, rest: KnownRequest = {}): KnownRequest => ({
		...requests.key,
		credential: { ...credentials.key, key },
		...rest,
	});
	const copies = { set_claims: { copy: "$(headers.x-copy)" } };

	test.each(["a", "abc", "shop", "exactly-16-chars"])(
		"an API key as a whole value: %s",
		async (key) => {
			const headers = { "x-copy": key };
			const { exit } = await run(withKey(key, { headers }), copies);
			expect(exit?.status).toBe(401);
		},
	);

	test.each([
		["exactly-16-chars", true],
		["only-15-letters", false],
		["shop", false],
	])(
		"an API key within a longer value, from 16 characters on: %s",
		async (key, isRefused) => {
			const headers = { "x-copy": `${key}-frontend` };
			const { exit } = await run(withKey(key, { headers }), copies);
			expect(exit !== undefined).toBe(isRefused);
		},
	);

	test("a consumer whose name begins with its API key is no secret", async () => {
		const request = withKey("shop", {
			consumer: { ...consumer, username: "shop-frontend" },
		});
		const config = { set_claims: { name: "$(consumer.username)" } };
		expect(await claimsFor(request, config)).toMatchObject({
			name: "shop-frontend",
		});
	});

	test("a value that Kong generates is none, whatever the API key is", async () => {
		const id = "b32379d9-3d28-5683-a79c-72139be6e34f";
		const generated: [string, string, KnownRequest][] = [
			["request.id", id, { vars: { kong_request_id: id } }],
			["consumer.id", id, { consumer: { ...consumer, id } }],
			["credential.id", id, { credential: { ...credentials.key, id } }],
			["service.id", id, { service: { ...service, id } }],
			["route.id", id, { route: { id } }],
			["client.ip", "2001:db8:1:2:3:4:5:6", { ip: "2001:db8:1:2:3:4:5:6" }],
			["request.method", "GET", { method: "GET" }],
			["auth.method", "key", {}],
		];
		for (const [variable, value, request] of generated)
			for (const key of [value, value.slice(0, 18), value.slice(0, 3)]) {
				const known = withKey(key, request);
				const credential = { ...known.credential, key };
				const config = { set_claims: { copy: `$(${variable})` } };
				expect(await claimsFor({ ...known, credential }, config)).toMatchObject(
					{ copy: value },
				);
			}
	});

	test("nor as the id of a credential that is none of Kong's entities: ldap-auth's is a hash of the password", async () => {
		const id = `ldap_auth_cache:${"0a".repeat(32)}`;
		const request = {
			...requests.basic,
			credential: { ...credentials.ldap, id },
		};
		const config = { add_claims: { by: "$(credential.id or 'nothing')" } };
		expect(await claimsFor(request, config)).toMatchObject({ by: "nothing" });
	});

	test("the issuer's name, which is the key of a jwt credential, is none", async () => {
		const headers = { "x-copy": credentials.jwt.key };
		const config = { add_claims: { copy: "$(headers.x-copy)" } };
		const claims = await claimsFor({ ...requests.jwt, headers }, config);
		expect(claims).toMatchObject({ copy: credentials.jwt.key });
	});

	test("an ordinary value is none, though it looks a little like one", async () => {
		for (const value of ["eyJ", "eyJ.x", "a.b.c", "1.2.3", "Basically"]) {
			const { exit } = await run(
				{ ...requests.key, headers: { "x-copy": value } },
				{ add_claims: { copy: "$(headers.x-copy)" } },
			);
			expect(exit).toBeUndefined();
		}
	});
});

test("the table of docs/claims.md has each variable in the order of VARIABLES, with its marks", () => {
	const page = pages().find(({ path }) => path === "docs/claims.md");
	const [, section = ""] =
		page?.text.split("## What a template can name\n") ?? [];
	const [table = ""] = section.split("\n## ");
	const rows = table
		.split("\n")
		.filter((line) => line.startsWith("| `$("))
		.flatMap((line) => {
			const [, names = "", , clientId, differs] = line.split("|");
			return [...names.matchAll(/\$\(([^)]+)\)/g)].map(([, name]) => [
				name,
				clientId?.trim(),
				differs?.trim(),
			]);
		});
	expect(rows).toEqual(
		VARIABLES.map(({ name, isTrusted, varies }) => [
			name,
			isTrusted ? "yes" : "no",
			varies,
		]),
	);
});
