import { parseConfig } from "../../../plugins/x-custom-jwt/config";
import { Misconfigured } from "../../../plugins/x-custom-jwt/errors";
import { rawConfig } from "./samples";

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
		});
	});

	test("does not answer the token to the client by default", () => {
		const config = parseConfig(rawConfig());
		expect(config.downstream_custom_jwt_header).toBeUndefined();
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
		};
		expect(parseConfig(rawConfig(given))).toMatchObject(given);
	});

	test("has its signing key ready", () => {
		expect(parseConfig(rawConfig()).signingKey).toMatchObject({
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

describe("a configuration is refused, naming the field,", () => {
	test.each<[string, unknown]>([
		["iss", "kong"],
		["iss", "https://"],
		["iss", "https://kong gateway"],
		["iss", ""],
		["jku", "/x-custom-jwt/jwks"],
		["private_jwk", null],
		["private_jwk", { kty: "RSA" }],
		["expires_in", 0],
		["expires_in", -1],
		["expires_in", "1800"],
		["bearer_clientid_claim", ""],
		["apikey_header", "api key"],
		["apikey_header", ""],
		["upstream_custom_jwt_header", "X-Custom-Jwt\r\nX-Admin"],
		["upstream_custom_jwt_header", "X Custom Jwt"],
		["upstream_custom_jwt_header", ""],
		["downstream_custom_jwt_header", "X-Custom-Jwt:"],
		["verbose", "true"],
		["verbose", 1],
		["auth_methods", []],
		["auth_methods", ["basic", "saml"]],
		["auth_methods", ["basic", "basic"]],
		["auth_methods", "basic"],
		["route_id", 7],
	])("when %s is %j", (field, value) => {
		const parse = () => parseConfig(rawConfig({ [field]: value }));
		expect(parse).toThrow(Misconfigured);
		expect(parse).toThrow(new RegExp(`^config/${field}\\b`));
	});

	test("when there is no private JWK", () => {
		expect(() => parseConfig({})).toThrow(
			new Misconfigured("config/private_jwk is missing"),
		);
	});

	test.each([[undefined], [null], ["text"], [[]]])(
		"when the whole of it is %j",
		(raw) => {
			expect(() => parseConfig(raw)).toThrow(Misconfigured);
		},
	);

	test("by the member at fault when the private JWK is unusable", () => {
		const parse = () => parseConfig({ private_jwk: '{"kty":"oct"}' });
		expect(parse).toThrow(new Misconfigured("private_jwk/k is missing"));
	});

	test("by the vault reference when Kong could not resolve it and sent an empty text", () => {
		expect(() => parseConfig({ private_jwk: "" })).toThrow(/vault reference/);
	});
});
