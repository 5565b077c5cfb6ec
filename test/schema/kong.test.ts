import { AUTH_METHODS, configSchema } from "../../schema/fields";
import { kongFields } from "../../schema/kong";

/** Attributes that Kong takes from a JavaScript plugin; on any other one it refuses to start. */
const ATTRIBUTES = [
	"type",
	"required",
	"default",
	"match",
	"match_all",
	"match_none",
	"one_of",
	"starts_with",
	"between",
	"gt",
	"len_min",
	"len_max",
	"contains",
	"uuid",
	"is_regex",
	"encrypted",
	"referenceable",
	"description",
	"elements",
	"keys",
	"values",
];
const TYPES = [
	"string",
	"number",
	"integer",
	"boolean",
	"array",
	"set",
	"map",
	"record",
];

type Attributes = (typeof kongFields)[number][string];
const fields: Record<string, Attributes> = Object.assign({}, ...kongFields);
const entries = Object.entries(fields);

describe("the schema for Kong", () => {
	test("has one field per entry, in the order of their definition", () => {
		expect(kongFields.map((field) => Object.keys(field))).toEqual(
			Object.keys(configSchema.properties).map((name) => [name]),
		);
	});

	test("has the defaults of the published plugin, and safe ones for the rest", () => {
		const defaults = entries.map(([name, field]) => [name, field.default]);
		expect(Object.fromEntries(defaults)).toEqual({
			iss: "https://kong-gateway:8443/x-custom-jwt",
			jku: "https://kong-gateway:8443/x-custom-jwt/jwks",
			private_jwk: undefined,
			expires_in: 1800,
			bearer_clientid_claim: "clientId",
			apikey_header: "apikey",
			upstream_custom_jwt_header: "X-Custom-Jwt",
			token_prefix: undefined,
			downstream_custom_jwt_header: undefined,
			verbose: false,
			auth_methods: ["basic", "jwt", "key", "oauth2", "mtls", "consumer"],
			certificate_clientid: ["subject"],
			unauthenticated: "refuse",
			run_on_preflight: true,
			realm: undefined,
			add_claims: undefined,
			set_claims: undefined,
			keep_claims: undefined,
			remove_claims: undefined,
			strict_claims: false,
			audience: undefined,
			audience_as_array: false,
			subject: undefined,
			not_before: undefined,
			issued_at_skew: 0,
			cap_expiry: false,
			token_type: "JWT",
			max_token_size: 0,
			key_id: undefined,
			algorithm: undefined,
			active_kid: undefined,
			hmac_key_is_text: undefined,
			include_x5c: false,
			reuse_for: 0,
			reuse_max_tokens: 10_000,
			bind_request: false,
			bind_certificate: false,
			max_request_body_size: 1_048_576,
			log_claims: undefined,
		});
	});

	test("requires the private JWK and the header to the backend only", () => {
		const required = entries.filter(([, field]) => field.required);
		expect(required.map(([name]) => name)).toEqual([
			"private_jwk",
			"upstream_custom_jwt_header",
		]);
	});

	test("keeps the private JWK encrypted and lets it be a vault reference", () => {
		expect(fields.private_jwk).toMatchObject({
			encrypted: true,
			referenceable: true,
		});
	});

	test("takes a set of the known methods, at least one", () => {
		expect(fields.auth_methods).toMatchObject({
			type: "set",
			elements: { type: "string", one_of: AUTH_METHODS },
			len_min: 1,
		});
	});

	test("takes positive lifetimes only", () => {
		expect(fields.expires_in).toMatchObject({ type: "number", gt: 0 });
	});

	test.each(["keep_claims", "remove_claims", "log_claims", "audience"])(
		"takes a list of texts, none of them empty, in %s",
		(name) => {
			expect(fields[name]).toMatchObject({
				type: "array",
				elements: { type: "string", len_min: 1 },
			});
		},
	);

	test("takes an audience of one at least", () => {
		expect(fields.audience).toMatchObject({ len_min: 1 });
	});

	test.each([
		["not_before", "integer", [-86_400, 86_400]],
		["reuse_for", "number", [0, 86_400]],
		["max_request_body_size", "integer", [1, 8_388_608]],
	])("limits %s", (name, type, between) => {
		expect(fields[name]).toMatchObject({ type, between });
	});

	test("takes the algorithms of RFC 7518, RFC 8037 and RFC 9864 that sign, and no other", () => {
		const bits = [256, 384, 512];
		const names = bits.flatMap((n) => [`RS${n}`, `PS${n}`, `ES${n}`, `HS${n}`]);
		const { type, one_of } = fields.algorithm ?? {};
		expect(type).toBe("string");
		expect([...(one_of as string[])].sort()).toEqual(
			[...names, "EdDSA", "Ed25519"].sort(),
		);
	});

	const own = ["iss", "iat", "exp", "nbf", "aud", "jti", "act"];

	test.each([
		["add_claims", [...own, "client_id"], ["sub", "iat2", "xact", "client-id"]],
		["set_claims", own, ["client_id", "sub", "iat2", "xact"]],
	])(
		"takes in %s a map of texts, without the claims of the plugin",
		(name, refused, taken) => {
			const { type, keys, values } = fields[name] as {
				type: string;
				keys: { match_none: { pattern: string; err: string }[] };
				values: object;
			};
			expect(type).toBe("map");
			expect(values).toEqual({ type: "string", len_min: 1 });
			expect(keys).toMatchObject({ type: "string", len_min: 1 });
			// Of the Lua patterns here JavaScript makes the same.
			const refuses = (claim: string) =>
				keys.match_none.some(({ pattern }) => new RegExp(pattern).test(claim));
			expect(refused.filter(refuses)).toEqual(refused);
			expect(taken.filter(refuses)).toEqual([]);
			for (const { err } of keys.match_none)
				expect(err).toMatch(/^\w+ cannot be set here$/);
		},
	);

	test.each(entries)("has only what Kong understands in %s", (_, field) => {
		const { elements = {}, keys = {}, values = {} } = field;
		for (const attributes of [field, elements, keys, values])
			expect(ATTRIBUTES).toEqual(
				expect.arrayContaining(Object.keys(attributes)),
			);
		expect(TYPES).toContain(field.type);
	});

	test.each(entries)(
		"describes %s in at least ten characters, as Kong wants",
		(_, field) => {
			expect(field.description).toMatch(/^.{10,}$/);
		},
	);
});
