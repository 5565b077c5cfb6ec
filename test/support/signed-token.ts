import type { JWTPayload } from "jose";
import { protectedHeader } from "../../core/token";
import { importSigningKey, type SigningOptions } from "../../jwk/signing-key";
import { testKey } from "../../local/demo/flows";
import { nodePlatform } from "../../plugins/x-custom-jwt/platform";

/** Seconds since the epoch, of when the tests began. */
export const NOW = Math.floor(Date.now() / 1000);

/** Claims of a token that is good at `NOW`. */
export const CLAIMS = {
	client_id: "my-user",
	iss: "https://kong",
	aud: "http://backend",
	iat: NOW - 180,
	exp: NOW + 1620,
};

/** A token as the plugin makes it, with a key of test-keys. */
export function sign(
	claims: JWTPayload = {},
	key = "RS256-jwk-private.json",
	jku?: string,
): Promise<string> {
	return signClaims(testKey(key), { ...CLAIMS, ...claims }, { jku });
}

/** The same with any private JWK. */
export function signWith(
	jwk: string,
	claims: JWTPayload = {},
): Promise<string> {
	return signClaims(jwk, { ...CLAIMS, ...claims });
}

/** A token with just these claims. */
export async function signClaims(
	jwk: string,
	claims: object,
	{
		jku = "https://kong-gateway:8443/x-custom-jwt/jwks",
		...options
	}: SigningOptions & { jku?: string | undefined } = {},
): Promise<string> {
	const key = importSigningKey(jwk, options);
	const fields = { token_type: "JWT", jku };
	const header = protectedHeader(key, fields, nodePlatform);
	const payload = nodePlatform.encodeBase64url(JSON.stringify(claims));
	const signature = await key.sign(`${header}.${payload}`);
	return `${header}.${payload}.${signature.toString("base64url")}`;
}
