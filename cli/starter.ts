import { randomBytes } from "node:crypto";
import type { JWK } from "jose";
import { Document } from "yaml";
import { Name } from "../plugins/x-custom-jwt";

/** What a starter is made for. */
export interface StarterOptions {
	/** Name of the Kong Service that the plugin is put on. */
	service: string;
	/** URL of its backend. */
	url: string;
	/** URL of the gateway as backends reach it. */
	gateway: string;
	/** Whether to add the discovery document. */
	discovery: boolean;
}

/** The vault reference of the private key, and the environment variable that Kong takes it from. */
export const KEY_REFERENCE = "{vault://env/x-custom-jwt-private-jwk}";
export const KEY_VARIABLE = "X_CUSTOM_JWT_PRIVATE_JWK";

/** How long backends may keep what is published, in seconds: what `keys rotate` waits for by default. */
const MAX_AGE = 3600;

/** Kong's default of a route up to 3.13; since 3.14 it is `https` alone. */
const PROTOCOLS = ["http", "https"];

/**
 * Writes a declarative configuration to begin with: the plugin on a Service, and what backends fetch to verify its tokens.
 *
 * @param publicJwk the public half of the key that signs, with `kid` and `alg`
 * @returns the text of the file, and the API key of its example consumer
 */
export function starter(
	{ service, url, gateway, discovery }: StarterOptions,
	publicJwk: JWK,
): { text: string; apiKey: string } {
	const base = gateway.replace(/\/+$/, "");
	const issuer = `${base}/x-custom-jwt`;
	const jku = `${issuer}/jwks`;
	const apiKey = randomBytes(24).toString("base64url");
	const document = new Document({
		_format_version: "3.0",
		services: [
			{
				name: service,
				url,
				routes: [
					{
						name: service,
						protocols: [...PROTOCOLS],
						paths: [`/${service}`],
						plugins: [{ name: "key-auth", config: { hide_credentials: true } }],
					},
				],
				plugins: [
					{
						name: Name,
						config: {
							iss: issuer,
							jku,
							private_jwk: KEY_REFERENCE,
							auth_methods: ["key"],
							set_claims: {
								client_id: "$(consumer.username)",
								auth_method: "$(auth.method)",
							},
						},
					},
				],
			},
		],
		routes: [
			published("x-custom-jwt-jwks", "/x-custom-jwt/jwks", {
				keys: [publicJwk],
			}),
			...(discovery
				? [
						published(
							"x-custom-jwt-discovery",
							"/x-custom-jwt/.well-known/openid-configuration",
							{
								issuer,
								jwks_uri: jku,
								id_token_signing_alg_values_supported: [publicJwk.alg],
								response_types_supported: ["id_token"],
								subject_types_supported: ["public"],
							},
						),
					]
				: []),
		],
		consumers: [
			{ username: "example", keyauth_credentials: [{ key: apiKey }] },
		],
	});
	document.commentBefore = ` Made by x-custom-jwt init, to begin with: change what you like, then x-custom-jwt config check.
 The private key is not in here: Kong takes it from the environment variable ${KEY_VARIABLE}.`;
	return { text: document.toString({ lineWidth: 0 }), apiKey };
}

/** A route that answers by itself, for browsers of every origin and for caches. */
function published(name: string, path: string, body: object) {
	return {
		name,
		protocols: [...PROTOCOLS],
		paths: [path],
		plugins: [
			{
				name: "request-termination",
				config: {
					status_code: 200,
					content_type: "application/json",
					body: `${JSON.stringify(body, null, 2)}\n`,
				},
			},
			{ name: "cors", config: { origins: ["*"] } },
			{
				name: "response-transformer",
				config: {
					add: { headers: [`Cache-Control:public, max-age=${MAX_AGE}`] },
				},
			},
		],
	};
}
