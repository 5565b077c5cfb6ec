import { createHmac, randomBytes } from "node:crypto";
import type { JWK } from "jose";
import { Document, YAMLMap } from "yaml";
import { Name } from "../plugins/x-custom-jwt";
import { EDITOR_SCHEMA_URL } from "../schema/editor";

/** Ways for clients to authenticate that a starter can be made for, as `auth_methods` names them. */
export const AUTH = ["key", "basic", "jwt", "mtls", "oidc"] as const;

/** One of `AUTH`. */
export type Auth = (typeof AUTH)[number];

/** What the plugin entry of a starter says. */
export interface EntryOptions {
	/** URL of the gateway as backends reach it. */
	gateway: string;
	/** The claim `aud`; the backend's URL when there is none. */
	audience?: string[];
	/** Claims to set beside or in place of the starter's own, e.g. `{ sub: "$(consumer.id)" }`. */
	claims?: Record<string, string>;
}

/** What a starter is made for. */
export interface StarterOptions extends EntryOptions {
	/** Name of the Kong Service that the plugin is put on. */
	service: string;
	/** URL of its backend. */
	url: string;
	/** How clients authenticate, by default with an API key; with several each has a route of its own. */
	auth?: Auth[];
	/** Issuer of the identity provider, for `oidc`. */
	issuer?: string;
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

/** The URL of the gateway that issues tokens: `iss`. */
export function issuerOf({ gateway }: EntryOptions): string {
	return `${gateway.replace(/\/+$/, "")}/x-custom-jwt`;
}

/** The plugin entry for one or several ways to authenticate. */
export function pluginEntry(options: EntryOptions, methods: Auth[]) {
	const { audience, claims } = options;
	const issuer = issuerOf(options);
	const hasConsumer = methods.every((method) => hasCredential(method));
	const hasIssuer = methods.some((one) => one === "jwt" || one === "oidc");
	return {
		name: Name,
		config: {
			iss: issuer,
			jku: `${issuer}/jwks`,
			private_jwk: KEY_REFERENCE,
			auth_methods: methods,
			// What most identity providers call the client that got the token.
			...(methods.includes("oidc") && { bearer_clientid_claim: "azp" }),
			...(audience && { audience }),
			set_claims: {
				...(hasConsumer && { client_id: "$(consumer.username)" }),
				auth_method: "$(auth.method)",
				...(hasIssuer && { idp: "$(auth.issuer)" }),
				...claims,
			},
		},
	};
}

/** Whether clients have a credential of a consumer of Kong's. */
function hasCredential(method: Auth): boolean {
	return method !== "mtls" && method !== "oidc";
}

/** The security plugin for a way to authenticate; none for `mtls`, where the listener verifies. */
export function securityPlugin(method: Auth, issuer = "") {
	switch (method) {
		case "key":
			return { name: "key-auth", config: { hide_credentials: true } };
		case "basic":
			return { name: "basic-auth", config: { hide_credentials: true } };
		case "jwt":
			return { name: "jwt", config: { claims_to_verify: ["exp"] } };
		case "oidc":
			return {
				name: "openid-connect",
				config: {
					issuer,
					// Bearer tokens only: behind a session cookie a client could add a token of its own making.
					auth_methods: ["bearer"],
					bearer_token_param_type: ["header"],
					hide_credentials: false,
					cache_tokens_salt: secret(),
				},
			};
		case "mtls":
			return undefined;
	}
}

/** The routes that backends fetch keys from. */
export function publishedRoutes(
	options: EntryOptions & { discovery: boolean },
	publicJwk: JWK,
) {
	const issuer = issuerOf(options);
	return [
		published("x-custom-jwt-jwks", "/x-custom-jwt/jwks", {
			keys: [publicJwk],
		}),
		...(options.discovery
			? [
					published(
						"x-custom-jwt-discovery",
						"/x-custom-jwt/.well-known/openid-configuration",
						{
							issuer,
							jwks_uri: `${issuer}/jwks`,
							id_token_signing_alg_values_supported: [publicJwk.alg],
							response_types_supported: ["id_token"],
							subject_types_supported: ["public"],
						},
					),
				]
			: []),
	];
}

/** A request that a starter's example client sends. */
export interface Example {
	path: string;
	/** Options of `curl` by which the client authenticates. */
	options: string;
	needsTls: boolean;
}

/**
 * Writes a declarative configuration to begin with: the plugin on a Service, and what backends fetch to verify its tokens.
 *
 * @param publicJwk the public half of the key that signs, with `kid` and `alg`
 * @returns the text of the file, and the requests of its example clients
 */
export function starter(
	options: StarterOptions,
	publicJwk: JWK,
): { text: string; examples: Example[] } {
	const { service, url, auth = ["key"], issuer } = options;
	// One tag a Service, so that the starters of two Services do not delete each other's entities.
	const tags = [`${Name}-${service}`];
	const hasOne = auth.length === 1;
	const clients = auth.map((method) => ({
		method,
		...client(service, method),
	}));
	const routes = clients.map(({ method }) => {
		const security = securityPlugin(method, issuer);
		return {
			name: hasOne ? service : `${service}-${method}`,
			protocols: method === "mtls" ? ["https"] : [...PROTOCOLS],
			paths: [pathOf(service, method, hasOne)],
			plugins: [
				...(security ? [security] : []),
				...(hasOne ? [] : [pluginEntry(options, [method])]),
			],
		};
	});
	const credentials = Object.assign(
		{},
		...clients.map(({ credential }) => credential),
	);
	const document = new Document({
		_format_version: "3.0",
		_info: { select_tags: tags },
		...tagged(
			{
				services: [
					{
						name: service,
						url,
						routes,
						...(hasOne && { plugins: [pluginEntry(options, auth)] }),
					},
				],
				routes: publishedRoutes(options, publicJwk),
				...(auth.some(hasCredential) && {
					consumers: [{ username: "example", ...credentials }],
				}),
			},
			tags,
		),
	});
	// On one line, which a Kong without database does not accept: it can be left out by grep.
	const info = document.get("_info", true);
	if (info instanceof YAMLMap) info.flow = true;
	document.commentBefore = ` yaml-language-server: $schema=${EDITOR_SCHEMA_URL}
 Written by npx kong-plugin-x-custom-jwt init. Change what you like, then run npx kong-plugin-x-custom-jwt config check.
 The private key is not in this file: Kong reads it from the environment variable ${KEY_VARIABLE}.
 decK changes and deletes only entities with the tag of _info. Keep that line for decK: without it a sync deletes everything that
 is not in this file. Leave the line out for a Kong without database, which does not know it.`;
	return {
		text: document.toString({ lineWidth: 0 }),
		examples: clients.map(({ method, options }) => ({
			path: pathOf(service, method, hasOne),
			options,
			needsTls: method === "mtls",
		})),
	};
}

function pathOf(service: string, method: Auth, hasOne: boolean): string {
	return hasOne ? `/${service}` : `/${service}/${method}`;
}

/** Lists of entities, which decK finds by their tags. */
const ENTITIES = [
	"services",
	"routes",
	"plugins",
	"consumers",
	"keyauth_credentials",
	"basicauth_credentials",
	"jwt_secrets",
];

/** Puts tags on every entity, behind its name. */
function tagged<T extends object>(members: T, tags: string[]): T {
	return Object.fromEntries(
		Object.entries(members).map(([name, value]) => [
			name,
			Array.isArray(value) && ENTITIES.includes(name)
				? value.map((one: Record<string, unknown>) => {
						const { name, url, username, ...others } = one;
						return {
							...(name !== undefined && { name }),
							...(url !== undefined && { url }),
							...(username !== undefined && { username }),
							tags: [...tags],
							...tagged(others, tags),
						};
					})
				: value,
		]),
	) as T;
}

function secret(): string {
	return randomBytes(24).toString("base64url");
}

/** An example client: its credential in Kong, and the options of `curl` that show it. */
function client(
	service: string,
	method: Auth,
): { credential: object; options: string } {
	switch (method) {
		case "key": {
			const key = secret();
			return {
				credential: { keyauth_credentials: [{ key }] },
				options: `-H 'apikey: ${key}'`,
			};
		}
		case "basic": {
			const username = `${service}-example`;
			const password = secret();
			return {
				credential: { basicauth_credentials: [{ username, password }] },
				options: `-u '${username}:${password}'`,
			};
		}
		case "jwt": {
			const key = `${service}-example`;
			const password = secret();
			const token = exampleToken(key, password);
			return {
				credential: {
					jwt_secrets: [{ key, algorithm: "HS256", secret: password }],
				},
				options: `-H 'Authorization: Bearer ${token}'`,
			};
		}
		case "mtls":
			return {
				credential: {},
				options: "--cert client.pem --key client-key.pem",
			};
		case "oidc":
			return { credential: {}, options: '-H "Authorization: Bearer $TOKEN"' };
	}
}

/** A client's token for the jwt plugin, good for a day. */
function exampleToken(iss: string, key: string): string {
	const exp = Math.floor(Date.now() / 1000) + 86_400;
	const body = [
		{ alg: "HS256", typ: "JWT" },
		{ iss, clientId: iss, exp },
	]
		.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
		.join(".");
	const signature = createHmac("sha256", key).update(body).digest("base64url");
	return `${body}.${signature}`;
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
