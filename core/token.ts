/** From claims to a token. */
import type { ConfigFields } from "../schema/fields";
import { claimOf, issueClaims, type TokenContent } from "./claims";
import type { Claims, KeyInfo, Platform } from "./platform";
import { refused } from "./refusals";
import type { Settings } from "./settings";
import type { Members } from "./values";

/** A signed token. */
export interface IssuedToken {
	/** JWS Compact Serialization (RFC 7515 §3.1). */
	token: string;
	/** The claims that are logged. */
	logged: Members;
	/** For Kong's log, once. */
	warning: string | undefined;
}

/** A token that lacks its signature. */
export interface UnsignedToken {
	/** What is signed, ASCII (RFC 7515 §5.1). */
	signingInput: string;
	/** When the token expires, in seconds since the epoch. */
	exp: number;
	/**
	 * Makes the token.
	 *
	 * @param signature in base64url
	 * @throws {Refusal} when the token is larger than it may be
	 */
	sign: (signature: string) => IssuedToken;
}

/**
 * The protected header (RFC 7515 §4), encoded: all tokens of a configuration share it.
 *
 * @param key its `alg`, `kid` and certificates enter the header
 * @param fields `jku`, the URL of the JWK Set (RFC 7515 §4.1.2), left out when empty, and `typ` (RFC 7519 §5.1)
 */
export function protectedHeader(
	{ alg, kid, certificates }: KeyInfo,
	{ token_type, jku }: Pick<ConfigFields, "token_type" | "jku">,
	platform: Platform,
): string {
	const header: Claims = [
		["typ", token_type],
		["alg", alg],
	];
	if (kid !== undefined) header.push(["kid", kid]);
	if (jku !== "") header.push(["jku", jku]);
	if (certificates)
		header.push(
			["x5c", certificates.x5c],
			["x5t#S256", certificates["x5t#S256"]],
		);
	return platform.encodeBase64url(platform.encodeMembers(header));
}

/**
 * Completes the claims and makes all of the token but its signature.
 *
 * @throws {Refusal} when the incoming token, which must not be outlived, has expired
 */
export function issue(
	settings: Settings,
	content: TokenContent,
): UnsignedToken {
	const { platform, header } = settings;
	const { claims, exp } = issueClaims(settings, content);
	const payload = platform.encodeBase64url(platform.encodeMembers(claims));
	const signingInput = `${header}.${payload}`;
	return {
		signingInput,
		exp,
		sign: (signature) => {
			const token = `${signingInput}.${signature}`;
			return {
				token,
				logged: loggedClaims(settings, claims, content.apiKey),
				warning: checkSize(settings, token.length, claims),
			};
		},
	};
}

/** In bytes: with its name, and beside what else a client sends, a header of 8 KB, which nginx takes at most. */
const UNUSUALLY_LARGE = 7500;

/**
 * Demands that a token is not larger than it may be.
 *
 * @param bytes its size
 * @returns a warning for Kong's log when there is no limit and backends may refuse it
 * @throws {Refusal} above `max_token_size`
 */
function checkSize(
	{ max_token_size, platform }: Settings,
	bytes: number,
	claims: Claims,
): string | undefined {
	if (max_token_size === 0)
		return bytes > UNUSUALLY_LARGE
			? `a token of ${bytes} bytes: many backends refuse such a header with 400 or 431; largest claims: ${largest(claims, platform)}; remove_claims and keep_claims make it smaller, max_token_size limits it`
			: undefined;
	if (bytes <= max_token_size) return undefined;
	throw refused("token_too_large", {
		bytes,
		claims: largest(claims, platform),
	});
}

/** Names and sizes of the claims that take most, never their values. */
function largest(claims: Claims, platform: Platform): string {
	return claims
		.map(([name, value]) => ({
			name,
			// Three bytes are four characters of base64url.
			bytes: Math.floor(
				(platform.encodeBase64url(platform.encodeJson(value)).length * 3) / 4,
			),
		}))
		.sort((one, other) => other.bytes - one.bytes)
		.slice(0, 3)
		.map(
			({ name, bytes }) =>
				`${platform.quote(name.slice(0, 40))} (${bytes} bytes)`,
		)
		.join(", ");
}

/**
 * The claims for Kong's access log; an API key is none of them, whatever its claim is called. Arrays and
 * objects are logged as JSON text: Kong drops the whole entry when Lua cannot write one, such as
 * `[null, …]` (Kong: cjson's sparse arrays).
 */
function loggedClaims(
	{ log_claims = [], platform }: Settings,
	claims: Claims,
	apiKey: string | undefined,
): Members {
	if (log_claims.length === 0) return {};
	const logged: Claims = [];
	for (const name of log_claims) {
		const value = claimOf(claims, name);
		if (value === undefined || value === apiKey) continue;
		const isText = typeof value !== "object";
		logged.push([name, isText ? value : platform.encodeJson(value)]);
	}
	return platform.object(logged);
}
