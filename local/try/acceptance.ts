/** What the echo backend expects of a token, by the plugin entry that makes it. */
import { createSecretKey } from "node:crypto";
import {
	createRemoteJWKSet,
	customFetch,
	importJWK,
	type JWK,
	jwtVerify,
} from "jose";
import { type Configuration, findJwks } from "../../declarative/model";
import { publicHalf } from "../../jwk/public-half";
import { selectKey } from "../../jwk/select-key";
import { importSigningKey } from "../../jwk/signing-key";
import { configSchema } from "../../schema/fields";
import type { Acceptance } from "../backend/backend";
import type { PluginEntity, ServiceEntity } from "../gateway/entities";
import { authority } from "../gateway/proxy";

const { properties } = configSchema;

/** What a token of a plugin entry needs, and the keys that verify it. */
export interface EntryAcceptance extends Acceptance {
	/** Public JWKs. */
	keys(): Promise<object[]>;
}

/** Sends a request for a URL to the gateway, whatever host is in it. */
export type FetchThrough = (url: string) => Promise<Response>;

/**
 * Makes what the echo backend verifies the tokens of a plugin entry by.
 *
 * @param entry with a key that can sign
 * @param service of the request
 */
export function acceptanceFor(
	configuration: Configuration,
	{ config }: PluginEntity,
	service: ServiceEntity | undefined,
	fetchThrough: FetchThrough,
): EntryAcceptance {
	const {
		iss = properties.iss.default,
		jku = properties.jku.default,
		private_jwk,
		unauthenticated,
		upstream_custom_jwt_header: header = properties.upstream_custom_jwt_header
			.default,
	} = config;
	const expectations = {
		issuer: String(iss),
		audience: audienceOf(config, service),
		algorithms: [importSigningKey(String(private_jwk), config).alg],
		requiredClaims: [],
	};
	const url = String(jku);
	const isServed =
		findJwks(configuration, url).served !== undefined &&
		!expectations.algorithms.some((alg) => alg.startsWith("HS"));
	const keySet =
		isServed &&
		createRemoteJWKSet(new URL(url), {
			[customFetch]: (asked) => fetchThrough(asked),
		});
	return {
		header: String(header).toLowerCase(),
		isOptional: unauthenticated === "pass",
		expectations,
		verify: async (token = "") =>
			keySet
				? jwtVerify(token, keySet, expectations)
				: jwtVerify(token, await ownKey(config), expectations),
		keys: async () =>
			isServed ? keysOf(await fetchThrough(url)) : publicHalves(config),
	};
}

async function keysOf(response: Response): Promise<object[]> {
	try {
		const { keys } = (await response.json()) as { keys: object[] };
		return keys;
	} catch {
		return [];
	}
}

function publicHalves(config: Record<string, unknown>): object[] {
	const jwk = ownJwk(config);
	return jwk.kty === "oct" ? [] : [publicHalf(jwk)];
}

/** Whether backends can get the key that verifies from the file's own JWKS route. */
export function isPublished(
	configuration: Configuration,
	{ config }: PluginEntity,
): boolean {
	const { jku = properties.jku.default } = config;
	return findJwks(configuration, jku).served !== undefined;
}

/** The key that verifies what an entry signs: where no route publishes it, or as the secret itself. */
async function ownKey(config: Record<string, unknown>) {
	const { private_jwk, hmac_key_is_text } = config;
	const jwk = ownJwk(config);
	if (jwk.kty === "oct")
		return createSecretKey(
			Buffer.from(String(jwk.k), hmac_key_is_text ? "utf8" : "base64url"),
		);
	const { alg } = importSigningKey(String(private_jwk), config);
	return importJWK(publicHalf(jwk), alg);
}

/** The private JWK that signs. */
function ownJwk({ private_jwk, active_kid }: Record<string, unknown>): JWK {
	return selectKey(
		JSON.parse(String(private_jwk)),
		typeof active_kid === "string" ? active_kid : undefined,
	) as JWK;
}

/** The claim `aud`; undefined when it depends on the request. */
function audienceOf(
	{ audience }: Record<string, unknown>,
	service: ServiceEntity | undefined,
): string[] | undefined {
	if (!Array.isArray(audience)) return service && [urlOf(service)];
	const texts = audience.map(String);
	return texts.some((text) => text.includes("$(")) ? undefined : texts;
}

/** A Service's URL as the plugin writes it: without the default port of its protocol. */
function urlOf(service: ServiceEntity): string {
	const { protocol, path = "" } = service;
	const usual = protocol === "https" ? ":443" : ":80";
	const address = authority(service);
	const host = address.endsWith(usual)
		? address.slice(0, -usual.length)
		: address;
	return `${protocol}://${host}${path}`;
}
