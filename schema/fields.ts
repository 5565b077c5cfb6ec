import type { FromSchema } from "json-schema-to-ts";

/**
 * Ways of authenticating that Kong knows and the plugin can tell apart by what Kong hands it.
 * The order is the order in which they are recognised.
 */
export const AUTH_METHODS = [
	"basic",
	"jwt",
	"key",
	"oauth2",
	"mtls",
	"oidc",
	"consumer",
] as const;

/** JWS algorithms with a digital signature or MAC (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2). */
export const ALGORITHMS = [
	"RS256",
	"RS384",
	"RS512",
	"PS256",
	"PS384",
	"PS512",
	"ES256",
	"ES384",
	"ES512",
	"EdDSA",
	"Ed25519",
	"HS256",
	"HS384",
	"HS512",
] as const;

/** Every text that is no URI and has a colon, as Lua patterns; Kong's have no alternatives. */
const NO_URI = [
	"^[^:]*[^%w+.%-:][^:]*:",
	"^%A[^:]*:",
	"^:",
	"^[^:]*:$",
	"^[^:]*:.*%s",
	"^[^:]*://$",
	"^[^:]*://[/?#:@]",
	"^[^:]*://[^/?#]*@",
].map((pattern) => ({ pattern, err: "must be a URI without user name" }));

/**
 * A StringOrURI (RFC 7519 §2): any text, but one with a colon is a URI, and one with `//` has a host and, as it
 * is there for everybody to read, no user name or password.
 */
const stringOrUri = {
	type: "string",
	pattern:
		"^([A-Za-z][A-Za-z0-9+.-]*:(//[^\u0000- \u007f/?#:@][^\u0000- \u007f/?#@]*([/?#][^\u0000- \u007f]*)?|(?!//)[^\u0000- \u007f]+)|[^\u0000-\u001f\u007f:]+)$",
	expected: "a text without colon, or a URI without user name",
	kong: { match: "^%C+$", match_none: NO_URI },
} as const;

/** An absolute URL with a host, but without user name or password; or nothing. */
const urlOrNothing = {
	type: "string",
	minLength: 0,
	pattern:
		"^([A-Za-z][A-Za-z0-9+.-]*://[^\u0000- \u007f/?#:@][^\u0000- \u007f/?#@]*([/?#][^\u0000- \u007f]*)?)?$",
	expected: "an absolute URL without user name, or empty",
	kong: {
		match: "^%C*$",
		match_none: [
			...NO_URI,
			...["^[^:]+$", "^[^:]*:[^/]", "^[^:]*:/$", "^[^:]*:/[^/]"].map(
				(pattern) => ({ pattern, err: "must be an absolute URL" }),
			),
		],
	},
} as const;

/** A header name: what Kong's typedef `header_name` accepts. */
const headerName = {
	type: "string",
	pattern: "^[A-Za-z0-9_-]+$",
	expected: "a header name of letters, digits, - and _",
	kong: { match: "^[%w_%-]+$" },
} as const;

/**
 * Every text that does not begin with `{`, white space and a byte order mark before it aside, as Lua patterns: it is no
 * JWK, JWK Set or vault reference. With messages of their own, since Kong's for `match` repeats the value.
 */
const NO_JSON_OBJECT = ["^[^!-~]*[!-z|}~]", "^[^!-~]*$"].map((pattern) => ({
	pattern,
	err: "must be a JWK or a JWK Set as JSON text, or a vault reference",
}));

const text = { type: "string", minLength: 1 } as const;

const claimNames = { type: "array", items: text } as const;

/** Claims that have a field of their own, or that nobody but the plugin may set. */
const OWN_CLAIMS = ["iss", "iat", "exp", "nbf", "aud", "jti", "act"] as const;

/** Claims by name, each with JSON or a text, of which `""` is empty; texts may contain templates. */
const claims = {
	type: "object",
	additionalProperties: text,
} as const;

/**
 * The configuration of the plugin, defined here and nowhere else. From this JSON Schema come the
 * type of the configuration, its validation at instance start, the schema the plugin server dumps
 * to Kong, `schema.lua` for Konnect and the tables of docs/configuration.md.
 *
 * The keyword `expected` says in words what `pattern` does; `kong` holds what only Kong's schema language has: Lua patterns equal to `pattern`,
 * and how the field is stored (`encrypted`) and resolved (`referenceable`: may be a vault reference).
 */
export const configSchema = {
	type: "object",
	properties: {
		iss: {
			...stringOrUri,
			default: "https://kong-gateway:8443/x-custom-jwt",
			description: "Issuer of the token, the claim `iss`: a text or a URI.",
			examples: ["https://api.example.com"],
		},
		jku: {
			...urlOrNothing,
			default: "https://kong-gateway:8443/x-custom-jwt/jwks",
			description:
				"URL of the JWK Set that verifies the token, the header parameter `jku`; empty leaves it out.",
			examples: ["https://api.example.com/x-custom-jwt/jwks"],
		},
		private_jwk: {
			type: "string",
			minLength: 1,
			kong: {
				encrypted: true,
				referenceable: true,
				match_none: NO_JSON_OBJECT,
			},
			description:
				"Private JWK, or JWK Set of them, that signs the token (JSON text); may be a vault reference.",
			examples: ["{vault://env/x-custom-jwt-private-jwk}"],
		},
		expires_in: {
			type: "number",
			exclusiveMinimum: 0,
			default: 1800,
			description: "Lifetime of the token, in seconds.",
			examples: [300],
		},
		bearer_clientid_claim: {
			type: "string",
			minLength: 1,
			default: "clientId",
			description:
				"Claim of an incoming token that becomes the claim `client_id`; `a.b` is the member `b` of `a`. Not needed where `set_claims` sets `client_id`.",
			examples: ["azp"],
		},
		apikey_header: {
			...headerName,
			default: "apikey",
			description:
				"Header in which clients send their API key. No template can name it; it is never an identity.",
			examples: ["X-API-Key"],
		},
		upstream_custom_jwt_header: {
			...headerName,
			default: "X-Custom-Jwt",
			description:
				"Header that takes the token to the backend; the client's own is overwritten. `Authorization` gets the prefix `Bearer `.",
			examples: ["Authorization"],
		},
		token_prefix: {
			type: "string",
			minLength: 1,
			pattern: "^[A-Za-z0-9!#$&^_.+-]+$",
			expected: "one word of letters, digits and ! # $ & ^ _ . + -",
			kong: { match: "^[%w!#$&^_.+%-]+$" },
			description:
				"A word to put before the token in `upstream_custom_jwt_header`, with a space between them. `Authorization` has `Bearer` by default.",
			examples: ["Bearer"],
		},
		downstream_custom_jwt_header: {
			...headerName,
			description: "Response header that also gives the token to the client.",
			examples: ["X-Token"],
		},
		verbose: {
			type: "boolean",
			default: false,
			description:
				"Say in the member `detail` of an error body why the request was refused.",
			examples: [true],
		},
		auth_methods: {
			type: "array",
			uniqueItems: true,
			minItems: 1,
			items: { type: "string", enum: AUTH_METHODS },
			default: ["basic", "jwt", "key", "oauth2", "mtls", "consumer"],
			description:
				"Methods of authentication that are accepted. Add `oidc` on a route behind openid-connect, and only there.",
			examples: [["key", "basic"]],
		},
		certificate_clientid: {
			type: "array",
			minItems: 1,
			items: {
				type: "string",
				enum: [
					"subject",
					"serial",
					"fingerprint",
					"san.uri",
					"san.dns",
					"san.email",
				],
			},
			default: ["subject"],
			description:
				"What of a client's certificate becomes the claim `client_id`: the first that it has, e.g. `san.uri` for SPIFFE.",
			examples: [["san.uri", "subject"]],
		},
		unauthenticated: {
			type: "string",
			enum: ["refuse", "pass", "anonymous"],
			default: "refuse",
			description:
				"What becomes of a request that nobody authenticated: `refuse` answers 401, `pass` proxies it without a token, `anonymous` signs one for Kong's anonymous consumer.",
			examples: ["pass"],
		},
		run_on_preflight: {
			type: "boolean",
			default: true,
			description:
				"Whether `OPTIONS` requests need a token; `false` proxies them without one.",
			examples: [false],
		},
		realm: {
			type: "string",
			minLength: 1,
			pattern: "^[A-Za-z0-9 ._:/-]+$",
			expected: "a text of letters, digits, spaces and . _ : / -",
			kong: { match: "^[%w ._:/%-]+$" },
			description:
				"The parameter `realm` of `WWW-Authenticate` in a response 401.",
			examples: ["orders"],
		},
		add_claims: {
			...claims,
			propertyNames: {
				minLength: 1,
				not: { enum: [...OWN_CLAIMS, "client_id"] },
			},
			description:
				"Claims to add unless the token has them: JSON or a text, with templates. A number that is not an integer stays a text.",
			examples: [{ env: "production" }],
		},
		set_claims: {
			...claims,
			propertyNames: { minLength: 1, not: { enum: OWN_CLAIMS } },
			description:
				"Claims to set, whatever the token has: JSON or a text, with templates. `client_id` may be one of them.",
			examples: [{ auth_method: "$(auth.method)" }],
		},
		keep_claims: {
			...claimNames,
			description:
				"Claims of an incoming token that are copied; without this field all are, except those that are never copied.",
			examples: [["sub", "scope"]],
		},
		remove_claims: {
			...claimNames,
			description: "Claims of an incoming token that are not copied.",
			examples: [["email"]],
		},
		strict_claims: {
			type: "boolean",
			default: false,
			description:
				"Reject a request with 401 when a template has no value for it, instead of leaving the claim out. An empty value is a value, except for `sub`.",
			examples: [true],
		},
		audience: {
			type: "array",
			items: text,
			minItems: 1,
			description:
				"The claim `aud`, with templates, instead of the URL of the Kong Service: one value as a string, several as an array.",
			examples: [["https://orders.example.com"]],
		},
		audience_as_array: {
			type: "boolean",
			default: false,
			description: "Make `aud` an array, of one value too.",
			examples: [true],
		},
		subject: {
			...text,
			description: "The claim `sub`, with templates.",
			examples: ["$(consumer.id)"],
		},
		not_before: {
			type: "integer",
			minimum: -86_400,
			maximum: 86_400,
			description: "The claim `nbf`, in seconds after the claim `iat`.",
			examples: [0],
		},
		issued_at_skew: {
			type: "integer",
			minimum: 0,
			maximum: 3600,
			default: 0,
			description:
				"How many seconds earlier `iat` and `nbf` are than the time of issue, for backends whose clocks are slow; `exp` stays.",
			examples: [5],
		},
		cap_expiry: {
			type: "boolean",
			default: false,
			description: "Let no token outlive the incoming one it was made from.",
			examples: [true],
		},
		token_type: {
			type: "string",
			pattern: "^[A-Za-z0-9!#$&^_.+/-]+$",
			expected: "a media type without white space",
			kong: { match: "^[%w!#$&^_.+/%-]+$" },
			// Two names of 127 characters (RFC 6838 §4.2).
			maxLength: 255,
			default: "JWT",
			description:
				"The header parameter `typ`, e.g. `at+jwt` for access tokens (RFC 9068).",
			examples: ["at+jwt"],
		},
		max_token_size: {
			type: "integer",
			minimum: 0,
			maximum: 1_048_576,
			default: 0,
			description:
				"Largest token in bytes; a request that needs a larger one is refused with 500. 0 is no limit.",
			examples: [7000],
		},
		key_id: {
			...text,
			description: "The header parameter `kid`, instead of the key's own.",
			examples: ["2027-01"],
		},
		algorithm: {
			type: "string",
			enum: ALGORITHMS,
			description:
				"The header parameter `alg`, instead of the key's own; it must fit the key.",
			examples: ["PS256"],
		},
		active_kid: {
			...text,
			description:
				"Which key signs when `private_jwk` is a JWK Set; without this field the first.",
			examples: ["2027-01"],
		},
		hmac_key_is_text: {
			type: "boolean",
			description:
				"Whether an HMAC key is the text of `k`, as in the published Lua plugin and in a `secret` of Kong's, and not the bytes that `k` encodes.",
			examples: [true],
		},
		include_x5c: {
			type: "boolean",
			default: false,
			description:
				"Put the key's certificate chain and its thumbprint into the header: `x5c`, `x5t#S256`.",
			examples: [true],
		},
		reuse_for: {
			type: "number",
			minimum: 0,
			maximum: 86_400,
			default: 0,
			description:
				"Give the same caller with the same claims the same token for this many seconds at most; 0 signs a fresh one for each request.",
			examples: [60],
		},
		reuse_max_tokens: {
			type: "integer",
			minimum: 1,
			maximum: 1_000_000,
			default: 10_000,
			description:
				"How many tokens are kept for `reuse_for`: those used last, and fewer when their claims are big.",
			examples: [1000],
		},
		bind_request: {
			type: "boolean",
			default: false,
			description:
				"Add claims that bind the token to the request: `htm`, `htu` (RFC 9449) and `content_digest` (RFC 9530).",
			examples: [true],
		},
		bind_certificate: {
			type: "boolean",
			default: false,
			description:
				"Add the claim `cnf` that binds the token to the client's certificate (RFC 8705), when that was verified.",
			examples: [true],
		},
		max_request_body_size: {
			type: "integer",
			// 0 is no limit in Kong's PDK.
			minimum: 1,
			maximum: 8_388_608,
			default: 1_048_576,
			description:
				"Largest body in bytes that `bind_request` digests; a request with a larger one is refused with 413.",
			examples: [65536],
		},
		log_claims: {
			...claimNames,
			description:
				"Claims of the token to put into Kong's access log, as `x_custom_jwt.…`.",
			examples: [["jti", "sub"]],
		},
	},
	required: ["private_jwk", "upstream_custom_jwt_header"],
} as const;

/** The fields by what they are for, in the order of the docs. */
export const FIELD_GROUPS: Record<
	string,
	(keyof typeof configSchema.properties)[]
> = {
	"Who the client is": [
		"auth_methods",
		"bearer_clientid_claim",
		"apikey_header",
		"certificate_clientid",
		"unauthenticated",
		"run_on_preflight",
		"realm",
	],
	"The token": [
		"iss",
		"audience",
		"audience_as_array",
		"subject",
		"expires_in",
		"not_before",
		"issued_at_skew",
		"cap_expiry",
		"token_type",
		"jku",
		"max_token_size",
	],
	"Further claims": [
		"add_claims",
		"set_claims",
		"keep_claims",
		"remove_claims",
		"strict_claims",
		"bind_request",
		"max_request_body_size",
		"bind_certificate",
	],
	"The key": [
		"private_jwk",
		"active_kid",
		"algorithm",
		"key_id",
		"hmac_key_is_text",
		"include_x5c",
	],
	"Headers, logs and reuse": [
		"upstream_custom_jwt_header",
		"token_prefix",
		"downstream_custom_jwt_header",
		"verbose",
		"log_claims",
		"reuse_for",
		"reuse_max_tokens",
	],
};

/** The configuration fields as they are after validation, defaults filled in. */
export type ConfigFields = Pick<
	FromSchema<typeof configSchema>,
	keyof typeof configSchema.properties
>;
