import fc from "fast-check";
import { decodeJwt } from "jose";
import { type ClaimSources, issueClaims, makeClaims } from "../../core/claims";
import type { Identity } from "../../core/identity";
import { parseConfig } from "../../plugins/x-custom-jwt/config";
import { nodePlatform } from "../../plugins/x-custom-jwt/platform";
import type { ConfigFields } from "../../schema/fields";
import { invalid, unauthorized as rejected } from "../support/refusals";
import {
	consumer,
	rawConfig,
	service,
	unsignedToken,
} from "../support/samples";

const NOW = 1_795_434_402_854;
const IAT = 1_795_434_402;
const iss = "https://kong.example/x-custom-jwt";

/** Members of a token, by their names. */
type Claims = Record<string, unknown>;

const prepared = (config: object = {}) =>
	parseConfig(rawConfig({ iss, ...config })).settings;

/** Makes the claims of one token. */
function claimsOf(
	identity: Partial<Identity> = {},
	config: Partial<ConfigFields> = {},
	{
		values = {},
		...sources
	}: Partial<ClaimSources> & { values?: Record<string, unknown> } = {},
): Claims {
	const platform = { ...nodePlatform, now: () => NOW };
	const settings = { ...prepared(config), platform };
	const content = makeClaims(settings, {
		identity: {
			method: "basic",
			clientId: "my-user",
			tokenClaims: {},
			consumer: undefined,
			...identity,
		},
		service,
		bindingClaims: [],
		lookup: (name) => values[name],
		...sources,
	});
	return Object.fromEntries(issueClaims(settings, content).claims);
}

const preparing = (config: object) => () => prepared(config);

/** A 401 whose reason holds the text. */
const unauthorized = (message: string) => rejected(message, "claim_refused");

function refusal(action: () => unknown): unknown {
	try {
		action();
	} catch (error) {
		return error;
	}
	throw new Error("nothing was refused");
}

describe("the claims set", () => {
	test("says who the client is, who issued the token, for whom and for how long", () => {
		expect(claimsOf({ consumer })).toEqual({
			client_id: "my-user",
			act: { client_id: "alice-custom-id" },
			iss,
			iat: IAT,
			exp: IAT + 1800,
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

	test("copies no claim named __proto__ or the like, and pollutes nothing", () => {
		const incoming = JSON.parse(
			'{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}},"prototype":1,"sub":"alice"}',
		);
		const tokenClaims = decodeJwt(unsignedToken(incoming));
		const claims = claimsOf({ consumer, tokenClaims });
		expect(Object.getPrototypeOf(claims)).toBe(Object.prototype);
		expect(claims.admin).toBeUndefined();
		expect("admin" in {}).toBe(false);
		expect(JSON.stringify(claims)).not.toMatch(/proto|constructor|admin/);
	});
});

describe("claims win in this order, later over earlier:", () => {
	const tokenClaims = { sub: "alice", scope: "orders:read", roles: ["a"] };

	test("keep_claims is which of the incoming token's are copied", () => {
		const claims = claimsOf({ tokenClaims }, { keep_claims: ["sub", "none"] });
		expect(claims).toEqual({ ...claimsOf(), jti: claims.jti, sub: "alice" });
	});

	test("an empty keep_claims copies none", () => {
		const claims = claimsOf({ tokenClaims }, { keep_claims: [] });
		expect(claims).toEqual({ ...claimsOf(), jti: claims.jti });
	});

	test("remove_claims is which of them are not", () => {
		const claims = claimsOf({ tokenClaims }, { remove_claims: ["sub", "no"] });
		const { sub, ...others } = tokenClaims;
		expect(claims).toEqual({ ...claimsOf(), jti: claims.jti, ...others });
	});

	test("remove_claims beats keep_claims", () => {
		const config = { keep_claims: ["sub", "scope"], remove_claims: ["sub"] };
		expect(claimsOf({ tokenClaims }, config)).not.toHaveProperty("sub");
		expect(claimsOf({ tokenClaims }, config)).toHaveProperty("scope");
	});

	test("the plugin's own cannot be kept away or kept from the token", () => {
		const own = ["client_id", "act", "iss", "iat", "exp", "aud", "jti"];
		const forged = { ...Object.fromEntries(own.map((claim) => [claim, "x"])) };
		const { act, ...claims } = claimsOf(
			{ consumer, tokenClaims: forged },
			{ keep_claims: own },
		);
		expect(Object.values(claims)).not.toContain("x");
		const without = claimsOf({ consumer }, { remove_claims: own });
		expect(Object.keys(without).sort()).toEqual([...own].sort());
	});

	test("add_claims only where there is none of that name", () => {
		const add_claims = { sub: "bob", scope: "none", env: "production", n: "5" };
		expect(claimsOf({ tokenClaims }, { add_claims })).toMatchObject({
			...tokenClaims,
			env: "production",
			n: 5,
		});
	});

	test("add_claims in place of one that was not copied", () => {
		const config = { add_claims: { sub: "bob" }, remove_claims: ["sub"] };
		expect(claimsOf({ tokenClaims }, config).sub).toBe("bob");
	});

	test("add_claims not in place of subject or of what binds the request", () => {
		const add_claims = { sub: "bob", htm: "GET" };
		const bindingClaims: [string, string][] = [["htm", "POST"]];
		expect(
			claimsOf({}, { add_claims, subject: "alice" }, { bindingClaims }),
		).toMatchObject({ sub: "alice", htm: "POST" });
	});

	test("set_claims over all others", () => {
		const config = {
			set_claims: { sub: "carol", scope: "[]", env: "test", client_id: "c" },
			add_claims: { env: "production" },
			subject: "bob",
		};
		expect(claimsOf({ tokenClaims }, config)).toMatchObject({
			sub: "carol",
			scope: [],
			env: "test",
			client_id: "c",
			roles: ["a"],
		});
	});

	test("whatever they are called, and no prototype changes", () => {
		const name = fc.constantFrom(
			"__proto__",
			"constructor",
			"prototype",
			"toString",
			"sub",
			"a.b",
		);
		const names = fc.uniqueArray(name);
		const settable = fc.uniqueArray(name.filter((n) => n !== "__proto__"));
		const before = Object.getOwnPropertyNames(Object.prototype);
		fc.assert(
			fc.property(
				fc.record({
					copied: names,
					keep: fc.option(names, { nil: undefined }),
					remove: names,
					add: settable,
					set: settable,
				}),
				({ copied, keep, remove, add, set }) => {
					// Through JSON, as configurations and tokens come.
					const named = (from: string[], value: string) =>
						JSON.parse(
							`{${from.map((n) => `${JSON.stringify(n)}:${JSON.stringify(value)}`)}}`,
						);
					const claims = claimsOf(
						{ tokenClaims: named(copied, "copied") },
						{
							keep_claims: keep,
							remove_claims: remove,
							add_claims: named(add, '["added"]'),
							set_claims: named(set, '{"__proto__":"set"}'),
						},
					);
					const expected = new Map<string, string>();
					const ofPrototypes = ["__proto__", "constructor", "prototype"];
					for (const n of copied.filter((n) => !ofPrototypes.includes(n)))
						if ((keep?.includes(n) ?? true) && !remove.includes(n))
							expected.set(n, '"copied"');
					for (const n of add)
						if (!expected.has(n)) expected.set(n, '["added"]');
					for (const n of set) expected.set(n, '{"__proto__":"set"}');
					const own = ["client_id", "iss", "aud", "iat", "exp", "jti"];
					const actual = Object.entries(claims)
						.filter(([n]) => !own.includes(n))
						.map(([n, value]) => [n, JSON.stringify(value)]);
					expect(new Map(actual as [string, string][])).toEqual(expected);
					expect(Object.getPrototypeOf(claims)).toBe(Object.prototype);
				},
			),
		);
		expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
	});
});

describe("a template", () => {
	const values = { "consumer.tags": ["gold", "eu"], "claims.n": 42 };

	test("keeps the type of its value when it is the whole claim", () => {
		const set_claims = { tags: "$(consumer.tags)", n: "$(claims.n)" };
		expect(claimsOf({}, { set_claims }, { values })).toMatchObject({
			tags: ["gold", "eu"],
			n: 42,
		});
	});

	test.each([
		["add_claims", { add_claims: { tenant: "$(headers.x-tenant-id)" } }],
		["set_claims", { set_claims: { tenant: '["$(headers.x-tenant-id)"]' } }],
	])("without a value leaves its claim of %s out", (_, config) => {
		expect(claimsOf({}, config)).not.toHaveProperty("tenant");
	});

	test.each([
		["set_claims", { set_claims: { sub: "$(headers.x-user)" } }],
		["subject", { subject: "$(headers.x-user)" }],
	])(
		"without a value takes the copied claim of that name along: %s",
		(_, config) => {
			const tokenClaims = { sub: "alice", scope: "orders:read" };
			const claims = claimsOf({ tokenClaims }, config);
			expect(claims).not.toHaveProperty("sub");
			expect(claims).toHaveProperty("scope");
		},
	);

	test.each<[string, Partial<ConfigFields>]>([
		["add_claims", { add_claims: { tenant: "a $(headers.x-tenant-id)" } }],
		["set_claims", { set_claims: { tenant: '["$(headers.x-tenant-id)"]' } }],
		["audience", { audience: ["https://a", "$(headers.x-tenant-id)"] }],
		["subject", { subject: "$(headers.x-tenant-id)" }],
	])(
		"without a value is 401 with strict_claims, which names claim and template: %s",
		(_, config) => {
			const strict = { ...config, strict_claims: true };
			const claim = { audience: "aud", subject: "sub" }[_] ?? "tenant";
			expect(refusal(() => claimsOf({}, strict))).toEqual(
				unauthorized(`claim ${claim}: no value of $(headers.x-tenant-id)`),
			);
		},
	);

	test("of add_claims is not wanted by strict_claims when the claim is there", () => {
		const config = { add_claims: { sub: "$(headers.x)" }, strict_claims: true };
		const tokenClaims = { sub: "alice" };
		expect(claimsOf({ tokenClaims }, config).sub).toBe("alice");
	});

	test("with a default has a value for strict_claims", () => {
		const set_claims = { tenant: "$(headers.x-tenant-id or 'none')" };
		const config = { set_claims, strict_claims: true };
		expect(claimsOf({}, config).tenant).toBe("none");
	});

	test.each<[Partial<ConfigFields>, string]>([
		[{ add_claims: { a: "b", roles: "$(a b)" } }, "config/add_claims/roles: "],
		[{ set_claims: { roles: '["$("]' } }, "config/set_claims/roles: "],
		[
			{ set_claims: { roles: "[9007199254740993]" } },
			"config/set_claims/roles: ",
		],
		[{ add_claims: { roles: "$(user)" } }, "config/add_claims/roles: $(user)"],
		[{ set_claims: { "a/b": '{"x": "$(user)"}' } }, "config/set_claims/a/b: "],
		[{ audience: ["a", "$(user)"] }, "config/audience/1: $(user) is unknown"],
		[{ subject: "$(user)" }, "config/subject: $(user) is unknown"],
		[{ subject: "$(headers.cookie)" }, "config/subject: $(headers.cookie)"],
		[
			{ audience: ["$(headers.x_key)"], apikey_header: "X-Key" },
			"config/audience/0: $(headers.x_key) holds",
		],
	])("at fault is refused at the start, by its field: %j", (config, named) => {
		expect(preparing(config)).toThrow(invalid());
		expect(preparing(config)).toThrow(named);
	});

	test("asks for each variable once, wherever it stands", () => {
		const { variables } = prepared({
			add_claims: { a: "$(headers.x) $(headers.x or 'y')", b: "literal" },
			set_claims: { a: '{"b": ["$(consumer.id)", "$(headers.x)"]}' },
			audience: ["$(service.name)", "$(consumer.id)"],
			subject: "$(claims.sub)",
		}).templates;
		expect([...variables].sort()).toEqual([
			"claims.sub",
			"consumer.id",
			"headers.x",
			"service.name",
		]);
	});
});

describe("client_id", () => {
	const trusted = [
		"consumer.id",
		"credential.id",
		"claims.sub",
		"service.name",
		"route.id",
	];

	test.each(trusted)("may be set to $(%s)", (variable) => {
		const config = { set_claims: { client_id: `u-$(${variable})` } };
		expect(
			claimsOf({}, config, { values: { [variable]: "x" } }).client_id,
		).toBe("u-x");
	});

	test.each(["headers.x-user", "query_params.user", "client.ip"])(
		"may not be set to $(%s), which the client chooses",
		(variable) => {
			for (const text of [
				`$(${variable})`,
				`$(${variable} or 'x')`,
				`$(consumer.id)$(${variable})`,
			]) {
				const refused = preparing({ set_claims: { client_id: text } });
				expect(refused).toThrow(invalid());
				expect(refused).toThrow(
					`config/set_claims/client_id: the client chooses $(${variable}) itself; allowed are those of auth, consumer, credential, service, route, certificate, claims`,
				);
			}
		},
	);

	test.each([
		["absent", "$(consumer.custom_id)", undefined],
		["empty", "$(consumer.custom_id)", ""],
		["an array", "$(consumer.custom_id)", ["alice"]],
		["an empty default", "$(consumer.custom_id or '')", undefined],
	])("is never set to nothing, but refused with 401: %s", (_, text, value) => {
		const config = { set_claims: { client_id: text } };
		const values = { "consumer.custom_id": value };
		expect(refusal(() => claimsOf({}, config, { values }))).toEqual(
			unauthorized("claim client_id: "),
		);
	});

	test("takes an integer as its digits", () => {
		const config = { set_claims: { client_id: "$(claims.azp)" } };
		const values = { "claims.azp": 42 };
		expect(claimsOf({}, config, { values })).toHaveProperty("client_id", "42");
	});

	test.each(["", "42", '["a"]', "null"])(
		"cannot be configured to what is no text or empty: %j",
		(text) => {
			expect(preparing({ set_claims: { client_id: text } })).toThrow(invalid());
		},
	);

	test("does not change who acts", () => {
		const config = { set_claims: { client_id: "shop" } };
		expect(claimsOf({ consumer }, config)).toMatchObject({
			client_id: "shop",
			act: { client_id: "alice-custom-id" },
		});
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
		["keep_claims has no act", { keep_claims: ["sub"] }],
		["remove_claims has act", { remove_claims: ["act"] }],
	])("of an incoming token is not nested when %s", (_, config) => {
		const tokenClaims = { act: { sub: "delegate" }, sub: "alice" };
		expect(claimsOf({ consumer, tokenClaims }, config).act).toEqual({
			client_id: "alice-custom-id",
		});
		expect(claimsOf({ tokenClaims }, config)).not.toHaveProperty("act");
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
		[["https://a"], ["https://a"]],
		[
			["https://a", "https://b"],
			["https://a", "https://b"],
		],
		[undefined, ["http://httpbin:9000/anything"]],
	])("is an array with audience_as_array: %j", (audience, aud) => {
		const config = { audience, audience_as_array: true };
		expect(claimsOf({}, config).aud).toEqual(aud);
	});

	test.each([
		["/api", "http://api.example/api"],
		[null, "http://api.example"],
		[undefined, "http://api.example"],
	])("is the URL of the service, its path being %s", (path, aud) => {
		const service = {
			id: "1",
			protocol: "http",
			host: "api.example",
			port: 80,
		};
		expect(claimsOf({}, {}, { service: { ...service, path } }).aud).toBe(aud);
	});

	test("cannot be told without a service, which is the gateway's fault", () => {
		const tokenClaims = { aud: "https://evil.example" };
		expect(
			refusal(() => claimsOf({ tokenClaims }, {}, { service: undefined })),
		).toMatchObject({ status: 500, reason: "no_audience" });
	});

	const values = {
		"service.name": "orders",
		"consumer.tags": ["https://a", 7, "", "https://b"],
		"headers.x-empty": "",
		"claims.n": 42,
	};

	test.each<[string, string[], unknown]>([
		["one", ["https://a"], "https://a"],
		["several", ["https://a", "https://b"], ["https://a", "https://b"]],
		[
			"a template",
			["https://$(service.name).example"],
			"https://orders.example",
		],
		["a JSON text, which is not decoded", ["[1]"], "[1]"],
		[
			"a template of several, whose texts are taken",
			["$(consumer.tags)", "https://c"],
			["https://a", "https://b", "https://c"],
		],
		[
			"several, of which those without a value are left out",
			["$(headers.x-none)", "https://a", "$(headers.x-empty)", "$(claims.n)"],
			"https://a",
		],
	])("is that of audience, as text or array: %s", (_, audience, aud) => {
		const facts = { values, service: undefined };
		expect(claimsOf({}, { audience }, facts).aud).toEqual(aud);
	});

	test.each([["$(headers.x-none)"], ["$(headers.x-empty)"], ["$(claims.n)"]])(
		"of which none is left is 401: %s",
		(template) => {
			const tokenClaims = { aud: "https://evil.example" };
			const config = { audience: [template] };
			expect(
				refusal(() => claimsOf({ tokenClaims }, config, { values })),
			).toEqual(unauthorized("claim aud: no template of audience has a value"));
		},
	);
});

describe("sub", () => {
	const tokenClaims = { sub: "of-the-token" };

	test.each([
		["a text", "literal", "literal"],
		["a template", "$(consumer.username)", "alice"],
		["a longer text", "user:$(consumer.username)", "user:alice"],
		["a number in a longer text", "user:$(claims.n)", "user:42"],
		["JSON, which is not decoded", "42", "42"],
	])("is that of subject, whatever was copied: %s", (_, subject, sub) => {
		const values = { "consumer.username": "alice", "claims.n": 42 };
		expect(claimsOf({ tokenClaims }, { subject }, { values }).sub).toBe(sub);
	});

	test("is the copied one without subject", () => {
		expect(claimsOf({ tokenClaims }).sub).toBe("of-the-token");
	});

	test.each([42, "", { id: 1 }])(
		"that is no text is a missing value for strict_claims: %j",
		(value) => {
			const config = { subject: "$(claims.id)", strict_claims: true };
			const values = { "claims.id": value };
			expect(() => claimsOf({}, config, { values })).toThrow(rejected(""));
		},
	);
});

describe("iat and exp", () => {
	test.each([
		[1800, 1800],
		[0.001, 1],
		[1.5, 2],
		[60.0, 60],
	])("are whole seconds when expires_in is %d", (expires_in, lifetime) => {
		expect(claimsOf({}, { expires_in })).toMatchObject({
			iat: IAT,
			exp: IAT + lifetime,
		});
	});
});

describe("nbf", () => {
	test.each([0, -30, 5])("is not_before seconds from iat: %d", (not_before) => {
		const tokenClaims = { nbf: 1 };
		expect(claimsOf({ tokenClaims }, { not_before }).nbf).toBe(
			IAT + not_before,
		);
	});

	test("is never that of the incoming token, and none without not_before", () => {
		expect(claimsOf({ tokenClaims: { nbf: 1 } })).not.toHaveProperty("nbf");
		expect(claimsOf()).not.toHaveProperty("nbf");
	});
});

describe("issued_at_skew", () => {
	test("makes iat and nbf earlier, and leaves exp", () => {
		const config = { issued_at_skew: 30, not_before: -5 };
		expect(claimsOf({}, config)).toMatchObject({
			iat: IAT - 30,
			nbf: IAT - 35,
			exp: IAT + 1800,
		});
	});

	test("adds no nbf by itself", () => {
		expect(claimsOf({}, { issued_at_skew: 30 })).not.toHaveProperty("nbf");
	});

	test("does not let a token be issued from one that has expired", () => {
		const tokenClaims = { exp: IAT - 10 };
		const config = { issued_at_skew: 30, cap_expiry: true };
		expect(refusal(() => claimsOf({ tokenClaims }, config))).toEqual(
			unauthorized("cap_expiry: the incoming token has expired"),
		);
	});
});

describe("cap_expiry", () => {
	const capped = (tokenClaims: Claims, config: Partial<ConfigFields> = {}) =>
		claimsOf({ tokenClaims }, { cap_expiry: true, ...config });

	test.each([
		["earlier", IAT + 60, 60],
		["later", IAT + 3600, 1800],
		["fractional", IAT + 60.9, 60],
		["one second away", IAT + 1, 1],
	])(
		"makes no token outlive an incoming one that expires %s",
		(_, exp, life) => {
			expect(capped({ exp })).toMatchObject({ iat: IAT, exp: IAT + life });
		},
	);

	test("looks at the incoming token even when no claim of it is copied", () => {
		expect(capped({ exp: IAT + 60 }, { keep_claims: [] }).exp).toBe(IAT + 60);
	});

	test("caps nothing without an incoming exp, or when it is off", () => {
		expect(capped({}).exp).toBe(IAT + 1800);
		expect(claimsOf({ tokenClaims: { exp: IAT + 60 } }).exp).toBe(IAT + 1800);
	});

	test.each([IAT, IAT + 0.9, IAT - 1, 0, -1])(
		"refuses an incoming token that expired: %d",
		(exp) => {
			expect(refusal(() => capped({ exp }))).toEqual(
				unauthorized("cap_expiry: the incoming token has expired"),
			);
		},
	);

	test.each(["2099-01-01", "9999999999", null, true, [], {}])(
		"refuses an incoming token whose exp is no number: %j",
		(exp) => {
			expect(refusal(() => capped({ exp }))).toEqual(
				unauthorized("cap_expiry: the incoming token's exp is no number"),
			);
		},
	);

	test("leaves no token that expires before its not_before", () => {
		expect(() => capped({ exp: IAT + 30 }, { not_before: 60 })).toThrow(
			rejected(""),
		);
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

describe("an incoming token's claims that cannot be signed as they are", () => {
	const tokenClaims = (name: string, payload: string) => ({
		tokenClaims: { sub: "alice", [name]: JSON.parse(payload) },
	});

	test.each(["9007199254740993", '[{"id":-12345678901234567890}]', "1e999"])(
		"are refused, as another number would be signed: %s",
		(payload) => {
			expect(
				refusal(() => claimsOf(tokenClaims("account", payload))),
			).toMatchObject({
				status: 401,
				message: expect.stringContaining("number beyond 2^53"),
			});
		},
	);

	test("are refused when they are nested too deeply", () => {
		const deep = "[".repeat(100) + "]".repeat(100);
		expect(refusal(() => claimsOf(tokenClaims("deep", deep)))).toMatchObject({
			message: expect.stringContaining("nested deeper than 64"),
		});
	});

	test("do not matter when they are not copied", () => {
		for (const config of [{ keep_claims: ["sub"] }, { remove_claims: ["big"] }])
			expect(claimsOf(tokenClaims("big", "9007199254740993"), config).sub).toBe(
				"alice",
			);
		for (const own of ["nbf", "iat", "jti"])
			expect(claimsOf(tokenClaims(own, "9007199254740993")).sub).toBe("alice");
	});
});
