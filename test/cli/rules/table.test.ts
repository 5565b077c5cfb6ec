// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables that other tools fill in
/** Each rule of `config check`: a configuration in which it finds nothing, and a change that it finds. */
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkConfiguration } from "../../../cli/check";
import type { CheckOptions } from "../../../cli/rules/subjects";
import { RULES } from "../../../cli/rules/table";
import { makeConfiguration } from "../../../declarative/model";
import { parseSource } from "../../../declarative/text";
import { testKey } from "../../../local/demo/flows";
import { packageRoot } from "../../../schema/package-root";

type Members = Record<string, unknown>;

const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const about = { kid: "1", alg: "ES256", use: "sig" };
const PRIVATE = { ...pair.privateKey.export({ format: "jwk" }), ...about };
const PUBLIC = { ...pair.publicKey.export({ format: "jwk" }), ...about };
const otherPair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const OTHER = { ...otherPair.publicKey.export({ format: "jwk" }), ...about };
const HMAC = JSON.parse(testKey("HS256-jwk.json"));
const CERTIFICATE = ["-----BEGIN CERTIFICATE-----"];
const JKU = "https://api.example.com/x-custom-jwt/jwks";
const REFERENCE = "{vault://env/the-key}";

/** A configuration without findings, in parts that a test can change. */
function sound() {
	const config: Members = {
		iss: "https://api.example.com",
		jku: JKU,
		private_jwk: JSON.stringify(PRIVATE),
		auth_methods: ["key"],
	};
	const guard: Members = { name: "key-auth", config: {} };
	const entry: Members = { name: "x-custom-jwt", config };
	const route: Members = { name: "shop", paths: ["/shop"] };
	const service: Members = {
		name: "shop",
		url: "http://shop",
		routes: [route],
		plugins: [guard, entry],
	};
	const answer: Members = {
		status_code: 200,
		content_type: "application/json",
		body: JSON.stringify({ keys: [PUBLIC] }),
	};
	const jwks: Members = {
		name: "jwks",
		paths: ["/x-custom-jwt/jwks"],
		plugins: [
			{ name: "request-termination", config: answer },
			{ name: "cors" },
		],
	};
	const file: Members = {
		_format_version: "3.0",
		services: [service],
		routes: [jwks],
		consumers: [{ username: "a" }],
	};
	return { file, service, route, guard, entry, config, jwks, answer };
}

type Parts = ReturnType<typeof sound>;

/** Returns the findings on files. */
function check(texts: string[], options?: CheckOptions) {
	const files = texts.map((text, index) => parseSource(text, `${index}.yml`));
	return checkConfiguration(makeConfiguration(files), options);
}

/** Returns the findings on the sound configuration with a change. */
async function changed(
	change: (parts: Parts) => unknown,
	options?: CheckOptions,
) {
	const parts = sound();
	const text = change(parts);
	return check(
		typeof text === "string" ? [text] : [JSON.stringify(parts.file)],
		options,
	);
}

const set = (part: keyof Parts, members: Members) => (parts: Parts) => {
	Object.assign(parts[part], members);
};
const publish = (...keys: object[]) =>
	set("answer", { body: JSON.stringify({ keys }) });
const signWith = (jwk: object) =>
	set("config", { private_jwk: JSON.stringify(jwk) });
const addPlugin =
	(plugin: Members, more: Members = {}) =>
	(parts: Parts) => {
		Object.assign(parts.config, more);
		parts.service.plugins = [parts.guard, plugin, parts.entry];
	};
const oidc = (config: Members) => (parts: Parts) => {
	parts.config.auth_methods = ["oidc"];
	Object.assign(parts.guard, { name: "openid-connect", config });
};
const introspect = (plugins: object[]) => (parts: Parts) => {
	parts.file.routes = [
		parts.jwks,
		{
			name: "introspect",
			paths: ["/introspect"],
			plugins: [
				{ name: "jwt" },
				{ name: "request-termination", config: { status_code: 200 } },
				...plugins,
			],
		},
	];
};
/** The same integer, with an octet in front that it does not need. */
const withOctet = (integer = "") =>
	Buffer.concat([Buffer.alloc(1), Buffer.from(integer, "base64url")]).toString(
		"base64url",
	);
const GUARD = {
	name: "pre-function",
	config: { access: ["kong.service.request.clear_header('X-Custom-Jwt')"] },
};

/** What each rule finds, by its id: a change, and a part of the message or the cure. */
const CASES: Record<
	string,
	[change: (parts: Parts) => unknown, said: string][]
> = {
	unreadable: [
		[() => "a: [", "not YAML"],
		[() => "- 1", "a map is expected"],
	],
	"unfilled-variable": [
		[set("config", { iss: "https://${HOST}/" }), "${HOST} was not"],
		[set("config", { private_jwk: "$JWK" }), "$JWK was not"],
		[set("config", { private_jwk: "${JWK:-secret}" }), "${JWK} was not"],
		[set("config", { set_claims: { a: "{{ .Values.a }}" } }), "{{ … }} was"],
		[set("route", { hosts: ["${HOST}"] }), "${HOST} was not"],
		[set("service", { url: "http://${HOST}" }), "${HOST} was not"],
		[set("answer", { body: "${JWKS}" }), "${JWKS} was not"],
	],
	"misspelt-member": [
		[set("file", { plugin: [] }), "Did you mean plugins?"],
		[set("entry", { enable: true }), "Did you mean enabled?"],
		[set("route", { path: ["/"] }), "Did you mean paths?"],
		[set("service", { plugin: [] }), "Did you mean plugins?"],
	],
	"misspelt-plugin": [
		"x-custom-jtw",
		"x_custom_jwt",
		"X-Custom-JWT",
		"kong-plugin-x-custom-jwt",
	].map((name) => [set("entry", { name }), "Did you mean x-custom-jwt?"]),
	"disabled-entry": [[set("entry", { enabled: false }), "is disabled"]],
	"no-entry": [[set("service", { plugins: [] }), "nothing was checked"]],
	"no-entry-in-file": [],
	"not-read": [
		[
			set("file", {
				upstreams: [],
				custom_plugins: [],
				_transform: false,
				_konnect: {},
			}),
			"upstreams, custom_plugins, _transform, _konnect",
		],
	],
	"unknown-field": [
		[set("config", { auth_methodz: ["key"] }), "Did you mean auth_methods?"],
		[set("config", { privateJwk: "" }), "Did you mean private_jwk?"],
		[set("config", { colour: "red" }), "docs/configuration.md"],
	],
	"null-field": [
		[
			set("config", { upstream_custom_jwt_header: null }),
			"is null, but required",
		],
	],
	"invalid-field": [
		[set("config", { verbose: "maybe" }), "verbose must be boolean"],
		[set("config", { auth_methods: ["keys"] }), "Did you mean key?"],
		[set("config", { unauthenticated: "Pass" }), "Did you mean pass?"],
		[set("config", { set_claims: { a: false } }), "in quotes"],
	],
	"invalid-key": [[set("config", { private_jwk: "{}" }), "kty"]],
	"reference-rejected": [
		[set("config", { iss: REFERENCE }), "which Kong rejects"],
	],
	"variable-not-set": [],
	"test-key": [
		[
			(parts) => {
				signWith(JSON.parse(testKey("ES256-jwk-private.json")))(parts);
				publish(JSON.parse(testKey("ES256-jwk-public.json")))(parts);
			},
			"test keys",
		],
	],
	"reference-as-text": [
		[set("config", { subject: REFERENCE }), "takes it for the value itself"],
	],
	"template-not-read": [
		[
			set("config", { realm: "shop", iss: "https://a/$(consumer.id)" }),
			"iss has a template",
		],
	],
	"key-interoperability": [
		[
			(parts) => {
				signWith({ ...PRIVATE, kid: "clé" })(parts);
				publish({ ...PUBLIC, kid: "clé" })(parts);
			},
			"outside ASCII",
		],
	],
	"methods-not-told-apart": [
		[set("config", { auth_methods: ["key", "basic"] }), "several methods"],
	],
	"issuers-not-told-apart": [
		[set("config", { auth_methods: ["jwt"] }), "every issuer"],
	],
	"claim-chosen-by-client": [
		[
			set("config", { set_claims: { scope: "$(headers.x-scope)" } }),
			"the client chooses the claim scope",
		],
	],
	"reuse-without-effect": [
		[
			set("config", { reuse_for: 60, set_claims: { id: "$(request.id)" } }),
			"reuse_for has no effect",
		],
	],
	"hidden-key": [[set("config", { private_jwk: REFERENCE }), "is a reference"]],
	"filled-in-later": [
		[
			set("config", { iss: '${{ env "DECK_ISS" }}' }),
			"iss is filled in by decK",
		],
	],
	"closed-route": [
		[
			({ file, service, entry, guard }) => {
				service.plugins = [guard];
				file.plugins = [entry];
			},
			"route jwks too",
		],
	],
	"no-audience": [
		[
			({ file, jwks, entry }) => {
				file.routes = [
					jwks,
					{ name: "alone", paths: ["/a"], plugins: [entry] },
				];
			},
			"route alone has no service",
		],
	],
	"open-introspection": [[introspect([]), "no acl"]],
	"introspection-with-secret": [
		[
			(parts) => {
				introspect([{ name: "acl", config: { allow: ["g"] } }])(parts);
				parts.file.consumers = [
					{
						username: "partner",
						acls: [{ group: "g" }],
						jwt_secrets: [{ key: "k", algorithm: "HS256" }],
					},
				];
			},
			"consumer partner may introspect with HS256",
		],
	],
	"invalid-path": [[set("route", { paths: ["~/(?=x)"] }), "look-around"]],
	"no-security-plugin": [
		[set("guard", { enabled: false }), "no security plugin on route shop"],
		[set("guard", { name: "jwt-signer" }), "but jwt-signer, which runs after"],
	],
	"entry-on-consumer": [
		[
			({ file, service, guard, entry }) => {
				service.plugins = [guard];
				file.consumers = [{ username: "a", plugins: [entry] }];
			},
			"on consumer a: requests of everybody else pass",
		],
		[
			({ file, service, guard, entry }) => {
				service.plugins = [guard];
				file.consumer_groups = [{ name: "gold", plugins: [entry] }];
			},
			"on consumer group gold: requests of everybody else pass",
		],
		[
			({ file, service, guard, entry }) => {
				service.plugins = [guard];
				file.plugins = [{ ...entry, consumer_group: "gold" }];
			},
			"on consumer group gold: requests of everybody else pass",
		],
	],
	"expression-not-read": [
		[
			set("route", { paths: undefined, expression: 'http.path == "/"' }),
			"has an expression",
		],
	],
	"ordering-before-authentication": [
		[
			set("entry", { ordering: { before: { access: ["key-auth"] } } }),
			"before key-auth",
		],
		[
			set("guard", { ordering: { after: { access: ["x-custom-jwt"] } } }),
			"before key-auth",
		],
		[
			(parts) => {
				addPlugin({ name: "bot-detection" })(parts);
				parts.entry.ordering = { before: { access: ["bot-detection"] } };
			},
			"before key-auth",
		],
	],
	"ordering-around-guard": [
		[
			addPlugin({
				...GUARD,
				ordering: { after: { access: ["x-custom-jwt"] } },
			}),
			"clears the token",
		],
		[
			(parts) => {
				addPlugin(GUARD)(parts);
				parts.entry.ordering = { before: { access: ["pre-function"] } };
			},
			"clears the token",
		],
		[
			addPlugin({
				name: "post-function",
				config: {
					access: ["if not kong.request.get_header('X-Custom-Jwt') then end"],
				},
				ordering: { before: { access: ["x-custom-jwt"] } },
			}),
			"not there yet",
		],
	],
	"enterprise-ordering": [
		[
			set("guard", { ordering: { before: { access: ["cors"] } } }),
			"open-source Kong rejects",
		],
	],
	"oidc-without-openid-connect": [
		[
			set("config", { auth_methods: ["oidc"] }),
			"openid-connect does not guard",
		],
	],
	"oidc-with-session": [
		[oidc({ hide_credentials: false }), "more than Bearer"],
	],
	"oidc-token-hidden": [
		[
			oidc({ auth_methods: ["bearer"], hide_credentials: true }),
			"takes the Bearer token away",
		],
	],
	"oidc-token-may-be-hidden": [
		[oidc({ auth_methods: ["bearer"] }), "since Kong 3.14"],
	],
	"session-rejected": [[addPlugin({ name: "session" }), "session guards"]],
	"anonymous-rejected": [
		[set("guard", { config: { anonymous: "a" } }), "anonymous consumer"],
		[
			(parts) => {
				parts.guard.config = { anonymous: "a" };
				parts.config.unauthenticated = "refuse";
			},
			"anonymous consumer",
		],
	],
	"oidc-not-accepted": [
		[set("guard", { name: "openid-connect" }), "does not have oidc"],
	],
	"usernames-not-told-apart": [
		[
			(parts) => {
				Object.assign(parts.guard, { name: "basic-auth" });
				addPlugin({ name: "ldap-auth" }, { auth_methods: ["basic"] })(parts);
			},
			"basic-auth and ldap-auth guard route shop",
		],
	],
	"jwks-shadowed": [
		[
			set("route", { paths: ["/"], hosts: ["api.example.com"] }),
			"Kong chooses route shop (0.yml:1:",
		],
	],
	"jwks-is-map": [
		[set("answer", { body: { keys: [PUBLIC] } }), "is a YAML map"],
	],
	"jwks-status": [
		[set("answer", { status_code: undefined }), "has the status 503"],
	],
	"invalid-jwks": [
		[set("answer", { body: "keys:" }), "not JSON"],
		[set("answer", { body: JSON.stringify(PUBLIC) }), "is a JWK"],
	],
	"duplicate-kid": [[publish(PUBLIC, OTHER), "more than once"]],
	"private-key-published": [[publish(PRIVATE), "gives away private members"]],
	"invalid-published-key": [
		[publish(PUBLIC, { ...OTHER, kid: "2", x: "AA" }), 'key "2"'],
	],
	"published-key-form": [
		[
			publish(PUBLIC, { ...OTHER, kid: "2", x: withOctet(OTHER.x) }),
			"verifiers in Go",
		],
	],
	"published-certificate": [
		[publish({ ...PUBLIC, x5c: CERTIFICATE }), "go-jose"],
	],
	"published-key-without-alg": [
		[publish({ ...PUBLIC, alg: undefined }), "alg is missing"],
	],
	"published-key-interoperability": [
		[publish(PUBLIC, { ...OTHER, kid: undefined }), "kid is missing"],
	],
	"key-not-published": [
		[
			(parts) => {
				signWith({ ...PRIVATE, kid: undefined })(parts);
				publish(OTHER)(parts);
			},
			"its public half is not in",
		],
	],
	"kid-not-published": [
		[publish({ ...PUBLIC, kid: "2" }), 'Its public half is key "2" there'],
		[publish({ ...OTHER, kid: "2" }), "keys public"],
	],
	"other-key-published": [[publish(OTHER), "another key"]],
	"algorithm-differs": [[publish({ ...PUBLIC, alg: "ES384" }), "ES256"]],
	"jwks-missing": [
		[
			set("config", { jku: "https://api.example.com/nowhere" }),
			"no route here serves",
		],
		[({ file }) => void delete file.routes, "no route here serves"],
		[
			({ file, route, config }) => {
				route.paths = ["/"];
				delete file.routes;
				config.jku = JKU;
			},
			"Kong chooses route shop (0.yml:1:",
		],
		[
			// A mock or a health check is no JWK Set.
			({ jwks, answer }) => {
				jwks.paths = ["/"];
				answer.body = JSON.stringify({ status: "up" });
			},
			"which answers something else",
		],
		[
			({ jwks, answer }) => {
				jwks.paths = ["/"];
				answer.body = JSON.stringify({ keys: [{ name: "a" }] });
			},
			"which answers something else",
		],
	],
	"jwks-tied": [
		[
			({ file, jwks }) => {
				file.routes = [jwks, { ...jwks, name: "jwks-too" }];
			},
			"the same priority",
		],
	],
	"no-jku": [[set("config", { jku: "" }), "jku is empty"]],
	"jwks-elsewhere": [
		[
			({ file, entry }) => {
				delete file.services;
				delete file.routes;
				file["add-plugins"] = [
					{ selectors: ["$..services[*]"], plugins: [entry] },
				];
			},
			"there are no routes here",
		],
		[
			({ file, service }) => {
				file.services = [
					service,
					{
						name: "web",
						url: "http://web",
						routes: [{ name: "web", paths: ["/"] }],
					},
				];
				delete file.routes;
			},
			"what its backend answers is not known",
		],
	],
	"jwks-without-cors": [
		[
			({ jwks, answer }) => {
				jwks.plugins = [{ name: "request-termination", config: answer }];
			},
			"no cors",
		],
	],
	"jwks-not-checked": [
		[set("answer", { body: '${{ env "DECK_JWKS" }}' }), "stands elsewhere"],
	],
	"key-not-compared": [
		[set("config", { private_jwk: REFERENCE }), "was not checked"],
	],
	"symmetric-key": [[signWith(HMAC), "HS256 is symmetric"]],
};

/** Rules that more than a change of one file shows; their tests are below. */
const ELSEWHERE = ["no-entry-in-file", "variable-not-set"];

test("every rule has a case here, and an id of words with dashes", () => {
	const ids = RULES.map(({ id }) => id);
	expect(Object.keys(CASES).sort()).toEqual([...ids].sort());
	for (const id of ids) expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
	const empty = ids.filter((id) => CASES[id]?.length === 0);
	expect(empty).toEqual(ELSEWHERE);
});

test("docs/cli.md has a row for each rule", () => {
	const page = readFileSync(join(packageRoot(), "docs/cli.md"), "utf8");
	const rows = page.match(/^\| `[a-z-]+` \| (error|warning|note) \| .*$/gm);
	expect(rows).toEqual(
		RULES.map(
			({ id, severity, text }) => `| \`${id}\` | ${severity} | ${text} |`,
		),
	);
});

test("a sound configuration has no findings", async () => {
	expect(await changed(() => undefined)).toEqual([]);
});

const rows = Object.entries(CASES).flatMap(([id, cases]) =>
	cases.map(([change, said], index) => ({ id, index, change, said })),
);

test.each(rows)(
	"$id is reported, case $index",
	async ({ id, change, said }) => {
		const findings = await changed(change);
		const own = findings.filter((finding) => finding.id === id);
		expect(findings.map((one) => `${one.id}: ${one.message}`)).toContainEqual(
			expect.stringContaining(`${id}: `),
		);
		const severity = RULES.find((rule) => rule.id === id)?.severity;
		for (const { line, column, cure, severity: its } of own) {
			expect(its).toBe(severity);
			expect(cure).toMatch(/[.?]$/);
			expect(line).toBe(1);
			expect(column).toBeGreaterThan(0);
		}
		const texts = own.map(({ message, cure }) => `${message} ${cure}`);
		expect(texts).toContainEqual(expect.stringContaining(said));
	},
);

test("the severity of a finding does not depend on the folder of its file", async () => {
	const parts = sound();
	signWith(JSON.parse(testKey("ES256-jwk-private.json")))(parts);
	const text = JSON.stringify(parts.file);
	const findings = await Promise.all(
		["kong.yml", "test-keys/kong.yml", "/tmp/kong.yml"].map((path) =>
			checkConfiguration(makeConfiguration([parseSource(text, path)])),
		),
	);
	const [first, ...others] = findings.map((list) =>
		list.map(({ id, severity }) => `${severity} ${id}`),
	);
	expect(first).toContain("error test-key");
	for (const other of others) expect(other).toEqual(first);
});

test("no-entry-in-file is reported for files beside one with an entry", async () => {
	const findings = await check([JSON.stringify(sound().file), "services: []"]);
	expect(findings).toMatchObject([
		{ id: "no-entry-in-file", file: "1.yml", severity: "note" },
	]);
});

describe("what ordering does not change is not reported:", () => {
	test.each<[string, (parts: Parts) => void]>([
		[
			"this plugin after key-auth",
			set("entry", { ordering: { after: { access: ["key-auth"] } } }),
		],
		[
			"key-auth before this plugin",
			set("guard", { ordering: { before: { access: ["x-custom-jwt"] } } }),
		],
		[
			"this plugin before rate-limiting",
			(parts) => {
				addPlugin({ name: "rate-limiting" })(parts);
				parts.entry.ordering = { before: { access: ["rate-limiting"] } };
			},
		],
		[
			"this plugin before a plugin that is not there",
			set("entry", { ordering: { before: { access: ["jwt"] } } }),
		],
	])("%s", async (_, change) => {
		const ids = (await changed(change)).map(({ id }) => id);
		expect(ids).toEqual(["enterprise-ordering"]);
	});

	test("a later security plugin that is moved before this one guards", async () => {
		const findings = await changed(
			set("guard", {
				name: "jwt-signer",
				ordering: { before: { access: ["x-custom-jwt"] } },
			}),
		);
		expect(findings.map(({ id }) => id)).toEqual(["enterprise-ordering"]);
	});
});

describe("what is read where Kong and decK allow it:", () => {
	test.each<[string, (parts: Parts) => void]>([
		[
			"_info.defaults.route",
			({ file, jwks }) => {
				// Without the path of the default, Kong would choose the route by host.
				file._info = { defaults: { route: { paths: jwks.paths } } };
				delete jwks.paths;
				jwks.hosts = ["api.example.com"];
			},
		],
		[
			"_plugin_configs",
			({ file, entry, config }) => {
				file._plugin_configs = { shared: config };
				delete entry.config;
				entry._config = "shared";
			},
		],
		["_info.select_tags", set("file", { _info: { select_tags: ["a"] } })],
		[
			"an entry on a consumer group, beside one on the Service",
			({ file, entry }) => {
				file.consumer_groups = [{ name: "gold", plugins: [entry] }];
			},
		],
	])("%s", async (_, change) => {
		expect(await changed(change)).toEqual([]);
	});
});

describe("with --env", () => {
	const hidden = set("config", { private_jwk: REFERENCE });
	const key = JSON.stringify(PRIVATE);

	test.each<[string, Record<string, string>, string[]]>([
		["a key that is published has no findings", { THE_KEY: key }, []],
		["a variable that is not set is an error", {}, ["variable-not-set"]],
		["an empty variable is an error", { THE_KEY: "" }, ["variable-not-set"]],
		[
			"a text that is not a key is an error",
			{ THE_KEY: "{}" },
			["invalid-key"],
		],
		[
			"another key is an error",
			{
				THE_KEY: JSON.stringify({
					...otherPair.privateKey.export({ format: "jwk" }),
					...about,
				}),
			},
			["other-key-published"],
		],
	])("%s", async (_, environment, ids) => {
		const findings = await changed(hidden, { environment });
		const errors = findings.filter(({ severity }) => severity === "error");
		expect(errors.map(({ id }) => id)).toEqual(ids);
		expect(JSON.stringify(findings)).not.toContain(String(PRIVATE.d));
	});

	test.each<[string, string, Record<string, string>, object | undefined]>([
		[
			"a member of JSON",
			"{vault://env/keys/signing}",
			{ KEYS: JSON.stringify({ signing: key }) },
			undefined,
		],
		[
			"a prefix in the reference",
			"{vault://env/key?prefix=my_}",
			{ MY_KEY: key },
			undefined,
		],
		[
			"a vault of its own with a prefix",
			"{vault://mine/key}",
			{ SECURE_KEY: key },
			{ name: "env", prefix: "mine", config: { prefix: "SECURE_" } },
		],
		["decK's variable", '${{ env "DECK_KEY" }}', { DECK_KEY: key }, undefined],
	])("the key is found by %s", async (_, reference, environment, vault) => {
		const findings = await changed(
			(parts) => {
				parts.config.private_jwk = reference;
				if (vault) parts.file.vaults = [vault];
			},
			{ environment },
		);
		expect(findings).toEqual([]);
	});

	test("another vault stays a reference", async () => {
		const findings = await changed(
			set("config", { private_jwk: "{vault://aws/key}" }),
			{ environment: {} },
		);
		expect(findings.map(({ id }) => id)).toEqual([
			"hidden-key",
			"key-not-compared",
		]);
	});
});
