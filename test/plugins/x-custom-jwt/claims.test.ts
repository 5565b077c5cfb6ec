import { decodeJwt } from "jose";
import { buildClaims } from "../../../plugins/x-custom-jwt/claims";
import { Misconfigured } from "../../../plugins/x-custom-jwt/errors";
import type { Identity } from "../../../plugins/x-custom-jwt/identity";
import { consumer, service, unsignedToken } from "./samples";

const NOW = 1_795_434_402_854;
const config = { iss: "https://kong.example/x-custom-jwt", expires_in: 1800 };

function claimsOf(identity: Partial<Identity> = {}, to = service) {
	const whole = {
		clientId: "my-user",
		tokenClaims: {},
		consumer: undefined,
		...identity,
	};
	return buildClaims(config, whole, to, NOW);
}

describe("the claims set", () => {
	test("says who the client is, who issued the token, for whom and for how long", () => {
		expect(claimsOf({ consumer })).toEqual({
			client_id: "my-user",
			act: { client_id: "alice-custom-id" },
			iss: "https://kong.example/x-custom-jwt",
			iat: 1_795_434_402,
			exp: 1_795_434_402 + 1800,
			aud: "http://httpbin:9000/anything",
			jti: expect.any(String),
		});
	});

	test("keeps the other claims of an incoming token", () => {
		const tokenClaims = { sub: "alice", scope: "orders:read", roles: ["a"] };
		expect(claimsOf({ tokenClaims })).toMatchObject(tokenClaims);
	});

	test("leaves no registered claim to the incoming token", () => {
		const forged = {
			client_id: "admin",
			act: { client_id: "admin" },
			iss: "https://evil.example",
			iat: 1,
			exp: 9_999_999_999,
			aud: "https://evil.example",
			jti: "chosen",
		};
		const claims = claimsOf({ consumer, tokenClaims: forged });
		expect(claims).toEqual({
			...claimsOf({ consumer }),
			jti: expect.not.stringMatching("chosen"),
			act: { client_id: "alice-custom-id", act: forged.act },
		});
	});

	test("does not share the incoming token's object", () => {
		const tokenClaims = Object.freeze({ iss: "https://idp.example" });
		claimsOf({ consumer, tokenClaims });
		expect(tokenClaims).toEqual({ iss: "https://idp.example" });
	});

	test("keeps a claim named __proto__ as a claim and pollutes nothing", () => {
		const incoming = JSON.parse('{"__proto__":{"admin":true},"sub":"alice"}');
		const tokenClaims = decodeJwt(unsignedToken(incoming));
		const claims = claimsOf({ consumer, tokenClaims });
		expect(Object.getPrototypeOf(claims)).toBe(Object.prototype);
		expect(claims.admin).toBeUndefined();
		expect("admin" in {}).toBe(false);
		expect(JSON.stringify(claims)).toContain('"__proto__":{"admin":true}');
	});
});

describe("act", () => {
	test("is absent when there is no consumer", () => {
		expect(claimsOf()).not.toHaveProperty("act");
	});

	test("of an incoming token is kept as it is when there is no consumer to add", () => {
		const act = { sub: "delegate" };
		expect(claimsOf({ tokenClaims: { act } }).act).toEqual(act);
	});

	test("nests the actors of an incoming token as prior ones (RFC 8693 §4.1)", () => {
		const act = { sub: "second", act: { sub: "first" } };
		expect(claimsOf({ consumer, tokenClaims: { act } }).act).toEqual({
			client_id: "alice-custom-id",
			act: { sub: "second", act: { sub: "first" } },
		});
	});

	test.each([
		["no custom_id", {}],
		["custom_id null", { custom_id: null }],
		["an empty custom_id", { custom_id: "" }],
	])("names the consumer by its id when it has %s", (_, members) => {
		const { id } = consumer;
		const claims = claimsOf({ consumer: { id, username: "bob", ...members } });
		expect(claims.act).toEqual({ client_id: id });
	});
});

describe("aud", () => {
	test.each([
		["http", 80, "/api", "http://api.example/api"],
		["https", 443, "/api", "https://api.example/api"],
		["grpc", 80, null, "grpc://api.example"],
		["grpcs", 443, null, "grpcs://api.example"],
		["ws", 80, undefined, "ws://api.example"],
		["wss", 443, undefined, "wss://api.example"],
		["http", 443, "/", "http://api.example:443/"],
		["https", 80, "/", "https://api.example:80/"],
		["https", 8443, undefined, "https://api.example:8443"],
		["tcp", 80, undefined, "tcp://api.example:80"],
	])(
		"of a service at %s, port %d, path %s is %s",
		(protocol, port, path, aud) => {
			const to = { id: "1", protocol, host: "api.example", port, path };
			expect(claimsOf({}, to).aud).toBe(aud);
		},
	);

	test("cannot be told without a service, which is the gateway's fault", () => {
		const identity = {
			clientId: "my-user",
			tokenClaims: { aud: "https://evil.example" },
			consumer,
		};
		expect(() => buildClaims(config, identity, undefined, NOW)).toThrow(
			Misconfigured,
		);
	});
});

describe("iat and exp", () => {
	test.each([
		[1800, 1800],
		[0.001, 1],
		[1.5, 2],
		[60.0, 60],
	])("are whole seconds when expires_in is %d", (expires_in, lifetime) => {
		const identity = { clientId: "a", tokenClaims: {}, consumer };
		const claims = buildClaims(
			{ ...config, expires_in },
			identity,
			service,
			NOW,
		);
		expect(claims).toMatchObject({
			iat: 1_795_434_402,
			exp: 1_795_434_402 + lifetime,
		});
	});
});

describe("jti", () => {
	test("is a UUID v4", () => {
		expect(claimsOf().jti).toMatch(
			/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
		);
	});

	test("never repeats, also within the same millisecond", () => {
		const ids = Array.from({ length: 1000 }, () => claimsOf().jti);
		expect(new Set(ids).size).toBe(ids.length);
	});
});
