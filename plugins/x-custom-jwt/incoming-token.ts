import type { JWTPayload } from "jose";
import { decodeJwt } from "jose/jwt/decode";
import { refused } from "./errors";

const strict = new TextDecoder("utf-8", { fatal: true });

/**
 * Claims of a token that Kong has validated; undefined when it is no JWT (RFC 7519 §7.2).
 *
 * @throws {Refusal} when its claims are no UTF-8
 */
export function tokenPayload(token: string): JWTPayload | undefined {
	let claims: JWTPayload;
	try {
		claims = decodeJwt(token);
	} catch {
		return undefined;
	}
	try {
		// jose takes other bytes for U+FFFD.
		strict.decode(Buffer.from(token.split(".")[1] ?? "", "base64url"));
	} catch {
		throw refused("not_utf8", { what: "incoming token" });
	}
	return claims;
}

/** As deep as the plugin server's protocol carries them. */
const MAX_DEPTH = 64;

/**
 * Demands that a value of an incoming token can be signed as it is.
 *
 * @throws {Refusal} for a number that would be signed as another one: somebody else's id, say
 */
export function requireExact(value: unknown, depth = 0): void {
	if (typeof value === "number" && Math.abs(value) > Number.MAX_SAFE_INTEGER)
		throw refused("inexact_number", {});
	if (typeof value !== "object" || value === null) return;
	if (depth > MAX_DEPTH) throw refused("deep_token", { depth: MAX_DEPTH });
	for (const member of Object.values(value)) requireExact(member, depth + 1);
}
