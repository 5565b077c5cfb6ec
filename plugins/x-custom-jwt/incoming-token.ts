import type { JWTPayload } from "jose";
import { decodeToken } from "../../jwk/token";
import { refused } from "./errors";

/** A JOSE header (RFC 7515 §4). */
export type JoseHeader = Record<string, unknown>;

/** A token that a client sent, read. */
export interface IncomingToken {
	header: JoseHeader;
	claims: JWTPayload;
	/** Whether it has a signature, of whatever worth. */
	isSigned: boolean;
}

/** Reads a token; undefined when it is not a JWT (RFC 7519 §7.2), as when its claims are not UTF-8. */
export function readToken(token: string): IncomingToken | undefined {
	try {
		const { parts, header, claims } = decodeToken(token);
		return { header, claims, isSigned: parts[2] !== "" };
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
