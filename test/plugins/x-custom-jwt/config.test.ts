import {
	parseConfig as parse,
	prepare,
} from "../../../plugins/x-custom-jwt/config";
import { invalid } from "../../support/refusals";
import { rawConfig } from "../../support/samples";

const parseConfig = (raw: unknown) => parse(raw).settings;

/** What Kong adds to every configuration it sends. */
const kongMembers = {
	__key__: "plugins:x-custom-jwt:fa492502-3bfd-5e21-a1c2-d10493346f2d::::",
	__plugin_id: "c1c31c23-f1b7-5b43-b903-69b596dffa99",
	__seq__: 139,
	__ws_id: "0dc6f45b-8f8d-40d2-a504-473544ee190b",
	$refs: { private_jwk: "{vault://env/private-jwk}" },
};

describe("a configuration", () => {
	test("needs no more than the private JWK: the rest has defaults", () => {
		expect(parseConfig(rawConfig())).toMatchObject({
			iss: "https://kong-gateway:8443/x-custom-jwt",
			jku: "https://kong-gateway:8443/x-custom-jwt/jwks",
			expires_in: 1800,
			bearer_clientid_claim: "clientId",
			apikey_header: "apikey",
			upstream_custom_jwt_header: "X-Custom-Jwt",
			verbose: false,
			auth_methods: ["basic", "jwt", "key", "oauth2", "mtls", "consumer"],
			strict_claims: false,
			cap_expiry: false,
			token_type: "JWT",
			include_x5c: false,
			reuse_for: 0,
			bind_request: false,
			max_request_body_size: 1_048_576,
		});
	});

	test("keeps what is given", () => {
		const given = {
			iss: "http://localhost",
			jku: "https://keys.example:8443/jwks?x=1",
			expires_in: 0.5,
			bearer_clientid_claim: "https://idp.example/client",
			apikey_header: "X-API-Key",
			upstream_custom_jwt_header: "Authorization",
			downstream_custom_jwt_header: "X_Token",
			verbose: true,
			auth_methods: ["oidc"],
			add_claims: { env: "production", "https://example.com/org": "x" },
			set_claims: { client_id: "$(consumer.custom_id)", sub: "{}" },
			keep_claims: ["sub"],
			remove_claims: ["scope", "iat"],
			strict_claims: true,
			audience: ["https://a", "$(service.name)"],
			subject: "$(consumer.id)",
			not_before: -5,
			cap_expiry: true,
			token_type: "application/at+jwt",
			key_id: "kong",
			algorithm: "ES256",
			active_kid: "kong",
			reuse_for: 0.5,
			bind_request: true,
			max_request_body_size: 1,
			log_claims: ["jti"],
		};
		expect(parseConfig(rawConfig(given))).toMatchObject(given);
	});

	test("has its signing key ready", () => {
		expect(parse(rawConfig()).key).toMatchObject({
			alg: "ES256",
			kid: "kong",
		});
	});

	test("may hold Kong's own members", () => {
		expect(() => parseConfig(rawConfig(kongMembers))).not.toThrow();
	});

	test("says which entities it is configured on", () => {
		const scope = { service_id: "s", route_id: "r", consumer_id: "c" };
		expect(parseConfig(rawConfig(scope)).scope).toEqual(scope);
		expect(parseConfig(rawConfig(kongMembers)).scope).toEqual({});
	});

	test("is not changed by being read", () => {
		const raw = rawConfig({ ...kongMembers, auth_methods: ["key"] });
		const before = structuredClone(raw);
		parseConfig(raw);
		expect(raw).toEqual(before);
	});

	test("shares no default with another one", () => {
		parseConfig(rawConfig()).auth_methods.push("oidc");
		expect(parseConfig(rawConfig()).auth_methods).not.toContain("oidc");
	});
});

describe("an empty list, which Lua may send as an empty object,", () => {
	test.each(["keep_claims", "remove_claims", "log_claims"])(
		"stays a list in %s",
		(field) => {
			for (const empty of [{}, []])
				expect(parseConfig(rawConfig({ [field]: empty }))).toMatchObject({
					[field]: [],
				});
		},
	);

	test.each(["auth_methods", "audience"])(
		"is refused in %s as one",
		(field) => {
			expect(() => parseConfig(rawConfig({ [field]: {} }))).toThrow(
				invalid(`config/${field} must NOT have fewer than 1 items`),
			);
		},
	);

	test("is not made of an empty map", () => {
		const config = parseConfig(rawConfig({ add_claims: {}, set_claims: {} }));
		expect(config).toMatchObject({ add_claims: {}, set_claims: {} });
	});
});

describe("a configuration may set", () => {
	test.each(["sub", "nonce", "constructor", "iat2", "a/b c"])(
		"a claim called %s",
		(claim) => {
			const named = JSON.parse(`{${JSON.stringify(claim)}: "x"}`);
			const { add_claims, set_claims } = parseConfig(
				rawConfig({ add_claims: named, set_claims: named }),
			);
			expect(Object.entries(add_claims ?? {})).toEqual([[claim, "x"]]);
			expect(Object.entries(set_claims ?? {})).toEqual([[claim, "x"]]);
		},
	);

	test.each(
		["iss", "iat", "exp", "nbf", "aud", "jti", "act", "client_id"].flatMap(
			(claim) => [
				["add_claims", claim],
				["set_claims", claim],
			],
		),
	)(
		"in %s not the claim %s, unless it is client_id in set_claims",
		(field, claim) => {
			const raw = rawConfig({ [field]: { sub: "alice", [claim]: "x" } });
			if (field === "set_claims" && claim === "client_id")
				expect(() => parseConfig(raw)).not.toThrow();
			else
				expect(() => parseConfig(raw)).toThrow(
					invalid(`config/${field}/${claim} cannot be set`),
				);
		},
	);
});

describe("a claim that some backend would take for one of the plugin's own", () => {
	test.each([
		"CLIENT_ID",
		"Iss",
		"ıss",
		"Sub",
		"Act",
		"CNF",
		"aud\u200B",
		"JTI",
	])("can be neither added nor set: %s", (claim) => {
		for (const field of ["add_claims", "set_claims"])
			expect(() =>
				parseConfig(rawConfig({ [field]: { [claim]: "x" } })),
			).toThrow(invalid(`config/${field}/${claim} differs from`));
	});

	test("or that a backend in JavaScript cannot read, cannot either", () => {
		const named = JSON.parse('{"__proto__": "x"}');
		for (const field of ["add_claims", "set_claims"])
			expect(() => parseConfig(rawConfig({ [field]: named }))).toThrow(
				invalid(`config/${field}/__proto__`),
			);
	});
});

describe("a configuration is refused, naming the field,", () => {
	// What each field refuses by its type, test/schema/schema-lua.test.ts tries.
	test.each<[string, unknown]>([
		["iss", "kong:"],
		["private_jwk", null],
		["private_jwk", { kty: "RSA" }],
		["expires_in", "1800"],
		["token_prefix", "JWT\r\nX-Admin: a"],
		["upstream_custom_jwt_header", "X-Custom-Jwt\r\nX-Admin"],
		["upstream_custom_jwt_header", "Connection"],
		["upstream_custom_jwt_header", "content-length"],
		["upstream_custom_jwt_header", "Proxy"],
		["upstream_custom_jwt_header", "X-Forwarded-Host"],
		["auth_methods", ["basic", "saml"]],
		["auth_methods", ["basic", "basic"]],
		["route_id", 7],
		["add_claims", { n: 5 }],
		["set_claims", { tenant: null }],
		["keep_claims", { 0: "sub" }],
		["audience", [""]],
		["not_before", 1800],
		["algorithm", "RS256"],
		["active_kid", "other"],
	])("when %s is %j", (field, value) => {
		const parse = () => parseConfig(rawConfig({ [field]: value }));
		expect(parse).toThrow(invalid());
		expect(parse).toThrow(new RegExp(`^config/${field}\\b`));
	});

	test.each([
		[60, 60, 0, true],
		[60, 59, 0, false],
		[0.5, 0, 0, false],
		[0.5, 1, 0, true],
		[60, -60, 0, false],
		[60, 60, 1, false],
		[60, 61, 1, true],
	])(
		"when not_before is not less than expires_in: %d, %d, issued_at_skew %d",
		(expires_in, not_before, issued_at_skew, isRefused) => {
			const config = { expires_in, not_before, issued_at_skew };
			const parse = () => parseConfig(rawConfig(config));
			if (isRefused) expect(parse).toThrow(/^config\/not_before must be less/);
			else expect(parse).not.toThrow();
		},
	);

	test("when there is no private JWK", () => {
		expect(() => parseConfig({})).toThrow(
			invalid("config/private_jwk is missing"),
		);
	});

	test.each([[undefined], [null], ["text"], [[]]])(
		"when the whole of it is %j",
		(raw) => {
			expect(() => parseConfig(raw)).toThrow(invalid());
		},
	);

	test("by the member at fault when the private JWK is unusable", () => {
		const parse = () => parseConfig({ private_jwk: '{"kty":"oct"}' });
		expect(parse).toThrow(invalid("private_jwk/k is missing"));
	});

	test("by the vault reference when Kong could not resolve it and sent an empty text", () => {
		expect(() => parseConfig({ private_jwk: "" })).toThrow(/vault reference/);
	});
});

describe("what is wrong with a configuration", () => {
	const faultsOf = (fields: object, options?: { hasHiddenKey: boolean }) =>
		prepare(rawConfig(fields), options).faults;

	test("is nothing when it can be used", () => {
		const { faults, settings, key } = prepare(rawConfig());
		expect(faults).toEqual([]);
		expect(settings).toBeDefined();
		expect(key?.alg).toBe("ES256");
	});

	test("is said of all fields at once, of each by its name", () => {
		const { faults, settings } = prepare(
			rawConfig({
				private_jwk: "{}",
				iss: "kong:",
				expires_in: 0,
				auth_methods: ["basic", "magic"],
				upstream_custom_jwt_header: "Host",
				set_claims: { tenant: "$(foo.bar)", roles: "$(", ok: "1" },
				audience: ["a", "$(user)"],
				subject: "$(broken",
			}),
		);
		expect(settings).toBeUndefined();
		expect(faults).toEqual([
			{ field: "iss", message: expect.stringMatching(/^config\/iss must/) },
			{ field: "expires_in", message: "config/expires_in must be > 0" },
			{
				field: "auth_methods",
				message: expect.stringMatching(
					/^config\/auth_methods\/1 must be one of/,
				),
			},
			{
				field: "upstream_custom_jwt_header",
				message: expect.stringContaining("Kong sets or drops itself"),
			},
			{ field: "private_jwk", message: "private_jwk/kty is missing" },
			{
				field: "set_claims",
				message: expect.stringMatching(/^config\/set_claims\/roles: /),
			},
			{
				field: "set_claims",
				message: expect.stringMatching(/^config\/set_claims\/tenant: /),
			},
			{
				field: "audience",
				message: expect.stringMatching(/^config\/audience\/1: /),
			},
			{
				field: "subject",
				message: expect.stringMatching(/^config\/subject: /),
			},
		]);
	});

	test("is the first of it when an instance starts", () => {
		const raw = rawConfig({ subject: "$(user)", iss: "kong:" });
		const [first] = prepare(raw).faults;
		expect(() => parseConfig(raw)).toThrow(invalid(first?.message ?? ""));
	});

	test.each([
		["algorithm", { algorithm: "bogus" }],
		["key_id", { key_id: "" }],
		["active_kid", { active_kid: 5 }],
		["subject", { subject: "$(broken" }],
		["set_claims", { set_claims: { tenant: "$(foo.bar)" } }],
	])("is found in %s though the key is in a vault", (field, fields) => {
		const private_jwk = "{vault://env/jwk}";
		const options = { hasHiddenKey: true };
		expect(faultsOf({ ...fields, private_jwk }, options)).toEqual([
			{ field, message: expect.stringContaining(`config/${field}`) },
		]);
		expect(faultsOf({ private_jwk }, options)).toEqual([]);
	});

	test("that depends on the key is said of the field, not of the key", () => {
		expect(faultsOf({ algorithm: "HS256" })).toEqual([
			{ field: "algorithm", message: expect.stringContaining("does not fit") },
		]);
		expect(faultsOf({ active_kid: "other" })).toEqual([
			{ field: "active_kid", message: expect.stringContaining("no key") },
		]);
	});

	test.each([[null], ["text"], [[]]])(
		"is all when it is no object: %j",
		(raw) => {
			const { faults, settings } = prepare(raw);
			expect(settings).toBeUndefined();
			expect(faults).toHaveLength(1);
		},
	);

	test.each([
		{ audience: "https://a" },
		{ add_claims: "a" },
		{ set_claims: [] },
		{ apikey_header: 1 },
		{ subject: 1 },
		{ private_jwk: 1 },
		{ private_jwk: undefined },
		{ keep_claims: 1, log_claims: "a" },
	])("is found in a field of another type: %j", (fields) => {
		expect(faultsOf(fields).map(({ field }) => field)).toEqual(
			Object.keys(fields),
		);
	});
});

test("what is seldom meant is said of a configuration whose key is in a vault too", () => {
	const raw = rawConfig({
		private_jwk: "{vault://env/jwk}",
		subject: "$(headers.x-user)",
	});
	const { faults, warnings } = prepare(raw, { hasHiddenKey: true });
	expect(faults).toEqual([]);
	expect(warnings.map(({ field }) => field)).toEqual([
		"auth_methods",
		"auth_methods",
		"subject",
	]);
});
