/** Random configurations and requests. */
import fc from "fast-check";
import { testKey } from "../../local/demo/flows";
import type { KnownRequest } from "./facts";
import {
	anonymous,
	bearer,
	consumer,
	credentials,
	requests,
	route,
	service,
	signedLooking,
} from "./samples";

const base64url = (text: string) => Buffer.from(text).toString("base64url");

/** Numbers as issuers may write them. */
const NUMBERS =
	"0 -0 1 -1 42 1.5 0.1 -0.25 1e2 1E+2 1.0 100e-2 1.50 1e-7 9007199254740991 9007199254740992 9007199254740993 -9007199254740993 1e15 1e16 1e21 1e308 1E400 12345678901234567890 0.30000000000000004 123456789.123456789 1800000000 1.8e9 1799999999.5".split(
		" ",
	);

const STRINGS = [
	"",
	"a",
	"web-shop",
	"alice",
	"admin",
	"a b",
	"a.b",
	"12",
	"é",
	"e\u0301",
	"ﬀ",
	"日本",
	"😀",
	"\u2028",
	"\u200b",
	"\ufeffa",
	"\u007f",
	"\u0000",
	"\u0001",
	"\n",
	"/",
	"\\",
	'"',
	"\uFFFD",
	"$(claims.sub)",
	"[]",
	"Bearer x",
	"basic x",
	"true",
	"null",
	"x".repeat(70),
];

const NAMES = [
	"clientId",
	"azp",
	"sub",
	"Sub",
	"iss",
	"ISS",
	"aud",
	"exp",
	"nbf",
	"jti",
	"act",
	"cnf",
	"nonce",
	"client_id",
	"Client_Id",
	"scope",
	"roles",
	"realm_access",
	"a",
	"a.b",
	"b",
	"1",
	"2",
	"",
	"constructor",
	"__proto__",
	"toString",
	"length",
	"full name",
	"https://example.com/roles",
];

/** JSON as a text, so that numbers are written in all ways. */
const json = fc.letrec<{ any: string; flat: string; object: string }>(
	(tie) => ({
		flat: fc.oneof(
			fc.constantFrom(...NUMBERS),
			fc.constantFrom(...STRINGS).map((text) => JSON.stringify(text)),
			fc.constantFrom("true", "false", "null", '"\\u0041\\/\\ud83d\\ude00"'),
		),
		any: fc.oneof(
			{ maxDepth: 4, depthSize: "small" },
			tie("flat"),
			fc.array(tie("any"), { maxLength: 3 }).map((all) => `[${all}]`),
			tie("object"),
		),
		object: fc
			.array(fc.tuple(fc.constantFrom(...NAMES), tie("any")), { maxLength: 5 })
			.map(objectOf),
	}),
);

function objectOf(members: [string, string][]): string {
	return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${value}`)}}`;
}

const claims = fc
	.tuple(
		fc.option(
			fc
				.oneof(fc.constant('"web-shop"'), json.flat)
				.map((id) => ["clientId", id] as [string, string]),
			{ nil: undefined, freq: 9 },
		),
		fc.option(
			fc
				.constantFrom('"issuer"', '"other"', "1", "null")
				.map((iss) => ["iss", iss] as [string, string]),
			{ nil: undefined },
		),
		fc.array(fc.tuple(fc.constantFrom(...NAMES), json.any), { maxLength: 5 }),
	)
	.map(([id, iss, rest]) =>
		objectOf([...rest, ...[id, iss].filter((one) => one !== undefined)]),
	);

const token = fc.oneof(
	{
		weight: 9,
		arbitrary: fc
			.tuple(
				fc.constantFrom(
					'{"alg":"ES256"}',
					'{"alg":"ES256","iss":"issuer"}',
					'{"alg":"none"}',
					"{}",
					"[]",
				),
				fc.oneof({ weight: 9, arbitrary: claims }, json.any),
				fc.constantFrom("c2ln", "c2ln", "c2ln", ""),
			)
			.map(
				([header, payload, signature]) =>
					`${base64url(header)}.${base64url(payload)}.${signature}`,
			),
	},
	fc.constantFrom(
		"",
		"a.b",
		"a.b.c",
		"..",
		signedLooking({ clientId: "a" }).replace(/\.[^.]*$/, ""),
		`${base64url("{}")}.${base64url("\uFEFF{}")}.x`,
		`${base64url("{}")}.${Buffer.from('{"clientId":"a\xff"}', "latin1").toString("base64url")}.x`,
		`${base64url("{}")}.${base64url('{"clientId":"a"')}.x`,
	),
);

const text = fc.constantFrom(...STRINGS.filter((one) => one !== ""));

const variable = fc.constantFrom(
	"auth.method",
	"auth.plugin",
	"auth.issuer",
	"consumer.id",
	"consumer.username",
	"consumer.custom_id",
	"consumer.tags",
	"consumer.groups",
	"credential.id",
	"service.name",
	"route.name",
	"client.ip",
	"request.id",
	"request.method",
	"request.path",
	"groups",
	"certificate.subject",
	"certificate.serial",
	"certificate.not_after",
	"certificate.fingerprint",
	"headers.x-tenant",
	"query_params.q",
	"claims.sub",
	"claims.a",
	"claims.a.b",
	"claims.roles",
	"claims.realm_access",
	"claims['full name']",
	"claims.https://example.com/roles",
);

const expression = fc
	.tuple(
		fc.array(variable, { minLength: 1, maxLength: 3 }),
		fc.option(
			fc.oneof(
				fc.constantFrom(
					"'none'",
					'"x"',
					"[]",
					"{}",
					"null",
					"1",
					"''",
					'["a"]',
				),
				json.any,
			),
			{ nil: undefined },
		),
		fc.constantFrom(
			"",
			"",
			" | join ' '",
			" | split ' '",
			" | split ',' | join '-'",
		),
	)
	.map(
		([variables, fallback, filter]) =>
			`$(${[...variables, ...(fallback === undefined ? [] : [fallback])].join(" or ")}${filter})`,
	);

const template = fc.oneof(
	{ weight: 8, arbitrary: expression },
	{
		weight: 2,
		arbitrary: fc
			.array(fc.oneof(expression, text), { minLength: 1, maxLength: 3 })
			.map((parts) => parts.join("")),
	},
	{ weight: 2, arbitrary: json.any.filter((one) => one !== '""') },
	{
		weight: 2,
		arbitrary: fc
			.array(fc.tuple(fc.constantFrom(...NAMES), expression), { maxLength: 3 })
			.map((members) =>
				objectOf(members.map(([name, value]) => [name, JSON.stringify(value)])),
			),
	},
	fc
		.array(
			fc.constantFrom(
				..."$()[]{}'\"|,.0a ",
				"$(",
				"claims.a",
				" or ",
				"| join ' '",
				"null",
				"$" + "{a}",
				"1.50",
			),
			{ minLength: 1, maxLength: 7 },
		)
		.map((pieces) => pieces.join("")),
);

const names = fc.uniqueArray(fc.constantFrom(...NAMES.filter(Boolean)), {
	maxLength: 4,
});

const claimNames = fc.constantFrom(
	"sub",
	"scope",
	"roles",
	"tenant",
	"https://example.com/a",
	"Roles",
	"é",
	"constructor",
);

/** Values of fields that the schema takes. */
const FIELDS: Record<string, fc.Arbitrary<unknown>> = {
	auth_methods: fc.constantFrom(
		["basic", "jwt", "key", "oauth2", "mtls", "oidc", "consumer"],
		["oidc"],
		["mtls", "consumer"],
		["key"],
	),
	bearer_clientid_claim: fc.constantFrom("azp", "a.b", "realm_access.a", "1"),
	upstream_custom_jwt_header: fc.constantFrom(
		"Authorization",
		"X_Jwt",
		"X-Jwt",
		"via",
		"a-b-c-d-e-f-g",
	),
	downstream_custom_jwt_header: fc.constantFrom("X-Back"),
	verbose: fc.boolean(),
	certificate_clientid: fc.constantFrom(
		["fingerprint"],
		["san.uri", "subject"],
	),
	unauthenticated: fc.constantFrom("pass", "anonymous"),
	run_on_preflight: fc.boolean(),
	realm: fc.constantFrom("API"),
	add_claims: fc.dictionary(claimNames, template, { maxKeys: 2 }),
	set_claims: fc.dictionary(
		fc.oneof(
			{ weight: 9, arbitrary: claimNames },
			fc.constantFrom("client_id"),
		),
		template,
		{ maxKeys: 3 },
	),
	keep_claims: names,
	remove_claims: names,
	strict_claims: fc.boolean(),
	audience: fc.array(template, { minLength: 1, maxLength: 2 }),
	audience_as_array: fc.boolean(),
	subject: template,
	not_before: fc.constantFrom(-5, 0, 1800),
	issued_at_skew: fc.constantFrom(0, 5),
	cap_expiry: fc.boolean(),
	token_type: fc.constantFrom("at+jwt"),
	max_token_size: fc.constantFrom(300, 600, 4000),
	key_id: fc.constantFrom("k", "é"),
	reuse_for: fc.constantFrom(60, 0.5),
	bind_request: fc.boolean(),
	bind_certificate: fc.boolean(),
	max_request_body_size: fc.constantFrom(5, 100),
	log_claims: fc.constantFrom(["jti", "act"], ["aud", "roles", "client_id"]),
	service_id: fc.constantFrom(service.id, service.id, "other"),
	route_id: fc.constantFrom(route.id),
	expires_in: fc.constantFrom(0.5, 60),
};

/** Templates and what becomes of the incoming token's claims are the most of it. */
const FREQUENT = ["set_claims", "add_claims", "audience", "subject"];

const field = fc
	.constantFrom(...Object.keys(FIELDS), ...FREQUENT, ...FREQUENT)
	.chain((name) =>
		(FIELDS[name] ?? fc.constant(undefined)).map((value) => ({
			[name]: value,
		})),
	);

/** A configuration that the schema takes. */
export const config: fc.Arbitrary<Record<string, unknown>> = fc
	.array(field, { maxLength: 6 })
	.map((fields) => Object.assign({}, ...fields));

function rarely<Value>(usual: Value, odd: Value): fc.Arbitrary<Value> {
	return fc.oneof(
		{ weight: 19, arbitrary: fc.constant(usual) },
		fc.constant(odd),
	);
}

const entityId = fc.constantFrom(consumer.id, "", "no-uuid");

const request: fc.Arbitrary<KnownRequest> = fc
	.record(
		{
			credential: fc.oneof(
				fc.constantFrom(...Object.values(credentials)),
				fc.record({ id: entityId, key: text }),
				fc.record({ id: entityId, username: text }),
			),
			consumer: fc.oneof(
				fc.constant(consumer),
				fc.record({
					id: fc.constant(consumer.id),
					username: fc.oneof(text, fc.constant(null)),
					custom_id: fc.oneof(text, fc.constant(null)),
					tags: fc.oneof(fc.array(text, { maxLength: 2 }), fc.constant(null)),
				}),
			),
			service: fc.constantFrom(
				service,
				{ ...service, protocol: "https", host: "::1", port: 443, path: null },
				{ ...service, name: "orders", path: "" },
			),
			route: fc.constant(route),
			method: fc.constantFrom("GET", "OPTIONS", "POST"),
			url: fc.constantFrom(
				"http://kong:8000/",
				"https://kong/a%20b?q=1",
				"http://[::1]:8000/x?q",
				"http://kong/a?q=%C3%A9&q=2",
			),
			host: fc.constantFrom("KONG", "a b", "a_b", ""),
			body: fc.constantFrom("", "hello", "hello!"),
			ip: fc.constantFrom("127.0.0.1", "::1"),
			certificate: fc.constantFrom(testKey("client-cert.pem"), "none"),
		},
		{ requiredKeys: [] },
	)
	.chain((base) =>
		fc
			.tuple(
				fc.record(
					{
						authorization: fc.oneof(
							token.map((one) => bearer(one).authorization),
							fc.constantFrom("Basic abc", "bearer", "Bearer a b"),
						),
						"x-tenant": fc.oneof(text, token),
						"x-anonymous-consumer": fc.constant("true"),
						connection: rarely("close", "x-custom-jwt"),
					},
					{ requiredKeys: [] },
				),
				fc.record(
					{
						authenticated_jwt_token: token,
						authenticated_groups: fc.constantFrom(["a", "b"], [], ["é"]),
					},
					{ requiredKeys: [] },
				),
				fc.record(
					{
						CLIENT_VERIFY_OVERRIDE: fc.constantFrom("SUCCESS", "FAILED", null),
						authenticated_groups: fc.constantFrom(["c"]),
						authenticated_consumer_groups: fc.constantFrom([
							{ id: "1", name: "gold" },
						]),
					},
					{ requiredKeys: [] },
				),
				fc.record(
					{
						ssl_client_verify: fc.constantFrom("SUCCESS", "NONE"),
						kong_request_id: fc.constant("0123456789abcdef"),
						server_protocol: rarely("HTTP/2.0", ""),
					},
					{ requiredKeys: [] },
				),
			)
			.map(([headers, shared, ctx, vars]) => ({
				...base,
				headers,
				shared,
				ctx,
				vars,
			})),
	);

/** Mostly requests that somebody authenticated, so that there is something to compare. */
export const likelyRequest = fc.oneof(
	request,
	fc
		.tuple(request, fc.constantFrom(...Object.values(requests), anonymous))
		.map(([random, sample]): KnownRequest => {
			const { certificate = random.certificate } = sample;
			return {
				...random,
				...sample,
				...(certificate && { certificate }),
				headers: { ...random.headers, ...sample.headers },
				shared: { ...sample.shared, ...random.shared },
				vars: { ...random.vars, ...sample.vars },
			};
		}),
);
