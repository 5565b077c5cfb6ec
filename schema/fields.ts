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

/**
 * An absolute URL: what Kong's typedef `url` accepts, with a scheme and a host, but no white space and, as it is
 * there for everybody to read, no user name or password.
 */
const url = {
	type: "string",
	pattern:
		"^[A-Za-z][A-Za-z0-9+.-]*://[^ \\t-\\r/?#:@][^ \\t-\\r/?#@]*([/?#][^ \\t-\\r]*)?$",
	kong: {
		match: "^%a[%w+.%-]*://[^%s/?#:@][^%s]*$",
		match_none: [
			{ pattern: "^[^/?#]*//[^/?#]*@", err: "must not have a user name" },
		],
	},
} as const;

/** A header name: what Kong's typedef `header_name` accepts. */
const headerName = {
	type: "string",
	pattern: "^[A-Za-z0-9_-]+$",
	kong: { match: "^[%w_%-]+$" },
} as const;

/**
 * The configuration of the plugin, defined here and nowhere else. From this JSON Schema come the
 * type of the configuration, its validation at instance start, the schema the plugin server dumps
 * to Kong, `schema.lua` for Konnect and the table in the README.
 *
 * The keyword `kong` holds what only Kong's schema language has: Lua patterns equal to `pattern`,
 * and how the field is stored (`encrypted`) and resolved (`referenceable`: may be a vault reference).
 */
export const configSchema = {
	type: "object",
	properties: {
		iss: {
			...url,
			default: "https://kong-gateway:8443/x-custom-jwt",
			description: "Issuer of the token, the claim `iss`.",
		},
		jku: {
			...url,
			default: "https://kong-gateway:8443/x-custom-jwt/jwks",
			description:
				"URL of the JWK Set that verifies the token, the header parameter `jku`.",
		},
		private_jwk: {
			type: "string",
			minLength: 1,
			kong: { encrypted: true, referenceable: true },
			description:
				"Private JWK (JSON text) that signs the token; may be a vault reference.",
		},
		expires_in: {
			type: "number",
			exclusiveMinimum: 0,
			default: 1800,
			description: "Lifetime of the token, in seconds.",
		},
		bearer_clientid_claim: {
			type: "string",
			minLength: 1,
			default: "clientId",
			description:
				"Claim of an incoming token that becomes the claim `client_id`.",
		},
		apikey_header: {
			...headerName,
			default: "apikey",
			description:
				"Header that holds the API key, read only when the credential does not hold it and `key` is the one method in `auth_methods`.",
		},
		upstream_custom_jwt_header: {
			...headerName,
			default: "X-Custom-Jwt",
			description:
				"Header that takes the token to the backend; the client's own is overwritten. `Authorization` gets the prefix `Bearer `.",
		},
		downstream_custom_jwt_header: {
			...headerName,
			description: "Response header that also gives the token to the client.",
		},
		verbose: {
			type: "boolean",
			default: false,
			description:
				"Say in the member `detail` of an error body why the request was refused.",
		},
		auth_methods: {
			type: "array",
			uniqueItems: true,
			minItems: 1,
			items: { type: "string", enum: AUTH_METHODS },
			default: ["basic", "jwt", "key", "oauth2", "mtls", "consumer"],
			description:
				"Authentications that are accepted. Add `oidc` on a route behind openid-connect, and only there.",
		},
	},
	required: ["private_jwk", "upstream_custom_jwt_header"],
} as const;

/** The configuration fields as they are after validation, defaults filled in. */
export type ConfigFields = FromSchema<typeof configSchema>;
