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
	"contains",
	"uuid",
	"is_regex",
	"encrypted",
	"referenceable",
	"description",
	"elements",
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
			downstream_custom_jwt_header: undefined,
			verbose: false,
			auth_methods: ["basic", "jwt", "key", "oauth2", "mtls", "consumer"],
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

	test.each(entries)("has only what Kong understands in %s", (_, field) => {
		const { elements = {} } = field;
		for (const attributes of [field, elements])
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
