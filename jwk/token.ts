/** Reading a JWT in compact serialization (RFC 7515 §7.1): no more is known than that somebody wrote it. */
import { decode, encode } from "jose/base64url";

/** A JWT, read but not verified. */
export interface DecodedToken {
	/** Header, claims and signature, as they are in the token. */
	parts: [header: string, claims: string, signature: string];
	/** The protected header (RFC 7515 §4). */
	header: Record<string, unknown>;
	/** The claims set (RFC 7519 §4). */
	claims: Record<string, unknown>;
}

/** The text is not a JWT; the message says what is wrong with it, and repeats nothing of it. */
export class NotAJwt extends Error {}

/**
 * The token in what somebody pasted or piped: without white space, quotes, a header's name and a scheme.
 *
 * @example tokenIn("X-Custom-Jwt: eyJh…\n  …") // "eyJh…"
 */
export function tokenIn(text: string): string {
	return text
		.trim()
		.replace(/^("|')(.*)\1$/s, "$2")
		.replace(/^(authorization|x-custom-jwt):/i, "")
		.trim()
		.replace(/^bearer\s+/i, "")
		.replace(/\s+/g, "");
}

/**
 * Reads header and claims, without verifying anything.
 *
 * @param prepare what is done with the JSON of the claims before it is read
 * @throws {NotAJwt} naming the part at fault
 */
export function decodeToken(
	token: string,
	prepare?: (json: string) => string,
): DecodedToken {
	const parts = partsOf(token);
	return {
		parts,
		header: decodePart(parts[0], "header"),
		claims: decodePart(parts[1], "claims", prepare),
	};
}

/** The same header and signature around other claims: what a forger would try first. */
export function withClaims(token: string, claims: object): string {
	const [header, , signature] = partsOf(token);
	return [header, encode(JSON.stringify(claims)), signature].join(".");
}

function partsOf(token: string): DecodedToken["parts"] {
	const [header, claims, signature, ...rest] = token.split(".");
	if (rest.length === 2)
		throw new NotAJwt(
			"not a signed JWT: five parts are an encrypted one (JWE), which only its recipient can read",
		);
	if (claims === undefined || signature === undefined || rest.length)
		throw new NotAJwt(
			`not a JWT: that has three parts with dots between them, and this has ${token.split(".").length}`,
		);
	return [header ?? "", claims, signature];
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

function decodePart(
	part: string,
	name: string,
	prepare = (json: string) => json,
): Record<string, unknown> {
	let text: string;
	try {
		text = UTF8.decode(decode(part));
	} catch {
		throw new NotAJwt(`not a JWT: its ${name} is not text in base64url`);
	}
	let value: unknown;
	try {
		value = JSON.parse(prepare(text));
	} catch {
		throw new NotAJwt(`not a JWT: its ${name} is not JSON; it may be cut`);
	}
	if (typeof value !== "object" || value === null || Array.isArray(value))
		throw new NotAJwt(`not a JWT: its ${name} must be a JSON object`);
	return value as Record<string, unknown>;
}
