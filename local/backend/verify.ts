import { createRemoteJWKSet, type JWTVerifyResult, jwtVerify } from "jose";

/** What a token has to be for the backend to accept it. */
export interface Expectations {
	issuer: string | string[];
	/** Any of several; not checked when it is undefined. */
	audience: string | string[] | undefined;
	/** JWS algorithms that are accepted: those of your key, never "whatever the token says". */
	algorithms: string[];
	requiredClaims: string[];
}

/**
 * Prepares the check that every backend behind the gateway makes; copy it.
 *
 * @param jwksUrl of the gateway's JWK Set. The URL in a token's own `jku` is never used: whoever forges a
 * token chooses it.
 * @param cache how long the JWK Set is kept, in milliseconds; as jose does it by default
 * @returns a function from the value of `X-Custom-Jwt` to the token's header and claims; it throws a
 * `JOSEError` for a token that must not be trusted, and another error when the JWK Set cannot be had
 * @example const { payload } = await tokenVerifier(jwksUrl, expectations)(request.headers["x-custom-jwt"])
 */
export function tokenVerifier(
	jwksUrl: string,
	expectations: Expectations,
	cache?: { cacheMaxAge: number; cooldownDuration: number },
): (token: string | undefined) => Promise<JWTVerifyResult> {
	const keySet = createRemoteJWKSet(new URL(jwksUrl), cache);
	return (token = "") => jwtVerify(token, keySet, expectations);
}
