import { randomBytes } from "node:crypto";
import type { JWK } from "jose";
import { Document, YAMLMap } from "yaml";
import { Name } from "../plugins/x-custom-jwt";
import { EDITOR_SCHEMA_URL } from "../schema/editor";

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
	/** The claim `aud`; the backend's URL when there is none. */
	audience?: string[];
	/** Claims to set beside or in place of the starter's own, e.g. `{ sub: "$(consumer.id)" }`. */
	claims?: Record<string, string>;
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
	{ service, url, gateway, discovery, audience, claims }: StarterOptions,
	publicJwk: JWK,
): { text: string; apiKey: string } {
	const base = gateway.replace(/\/+$/, "");
	const issuer = `${base}/x-custom-jwt`;
	const jku = `${issuer}/jwks`;
	const apiKey = randomBytes(24).toString("base64url");
	// One tag a Service, so that the starters of two Services do not delete each other's entities.
	const tags = [`${Name}-${service}`];
	const document = new Document({
		_format_version: "3.0",
		_info: { select_tags: tags },
		services: [
			{
				name: service,
				url,
				tags: [...tags],
				routes: [
					{
						name: service,
						tags: [...tags],
						protocols: [...PROTOCOLS],
						paths: [`/${service}`],
						plugins: [
							{
								name: "key-auth",
								tags: [...tags],
								config: { hide_credentials: true },
							},
						],
					},
				],
				plugins: [
					{
						name: Name,
						tags: [...tags],
						config: {
							iss: issuer,
							jku,
							private_jwk: KEY_REFERENCE,
							auth_methods: ["key"],
							...(audience && { audience }),
							set_claims: {
								client_id: "$(consumer.username)",
								auth_method: "$(auth.method)",
								...claims,
							},
						},
					},
				],
			},
		],
		routes: [
			published("x-custom-jwt-jwks", "/x-custom-jwt/jwks", tags, {
				keys: [publicJwk],
			}),
			...(discovery
				? [
						published(
							"x-custom-jwt-discovery",
							"/x-custom-jwt/.well-known/openid-configuration",
							tags,
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
			{
				username: "example",
				tags: [...tags],
				keyauth_credentials: [{ key: apiKey, tags: [...tags] }],
			},
		],
	});
	// On one line, which a Kong without database does not accept: it can be left out by grep.
	const info = document.get("_info", true);
	if (info instanceof YAMLMap) info.flow = true;
	document.commentBefore = ` yaml-language-server: $schema=${EDITOR_SCHEMA_URL}
 Written by x-custom-jwt init. Change what you like, then run x-custom-jwt config check.
 The private key is not in this file: Kong reads it from the environment variable ${KEY_VARIABLE}.
 decK changes and deletes only entities with the tag of _info. Keep that line for decK: without it a sync deletes everything that
 is not in this file. Leave the line out for a Kong without database, which does not know it.`;
	return { text: document.toString({ lineWidth: 0 }), apiKey };
}

/** A route that answers by itself, for browsers of every origin and for caches. */
function published(name: string, path: string, tags: string[], body: object) {
	return {
		name,
		tags: [...tags],
		protocols: [...PROTOCOLS],
		paths: [path],
		plugins: [
			{
				name: "request-termination",
				tags: [...tags],
				config: {
					status_code: 200,
					content_type: "application/json",
					body: `${JSON.stringify(body, null, 2)}\n`,
				},
			},
			{ name: "cors", tags: [...tags], config: { origins: ["*"] } },
			{
				name: "response-transformer",
				tags: [...tags],
				config: {
					add: { headers: [`Cache-Control:public, max-age=${MAX_AGE}`] },
				},
			},
		],
	};
}
