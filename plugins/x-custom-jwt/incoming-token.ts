import type { JWTPayload } from "jose";
import { decodeClaims } from "../../jwk/token";
import { refused } from "./errors";

/**
 * Claims of a token that Kong has validated; undefined when it is no JWT (RFC 7519 §7.2), as when its claims
 * are no UTF-8.
 */
export function tokenPayload(token: string): JWTPayload | undefined {
	try {
		return decodeClaims(token);
	} catch {
		return undefined;
	}
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
