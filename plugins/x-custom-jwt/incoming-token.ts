import type { JWTPayload } from "jose";
import { decodeToken } from "../../jwk/token";
import { refused } from "./errors";
import { text } from "./text";

/** A JOSE header (RFC 7515 §4). */
export type JoseHeader = Record<string, unknown>;

/** A token that a client sent, read. */
export interface IncomingToken {
	header: JoseHeader;
	claims: JWTPayload;
	/** Whether it has a signature, of whatever worth. */
	isSigned: boolean;
}

/**
 * Reads a token; undefined when it is not a JWT (RFC 7519 §7.2), as when its claims are not UTF-8. A number that
 * JavaScript would read as an integer and is none is infinite in its claims, so that `requireExact` rejects it.
 */
export function readToken(token: string): IncomingToken | undefined {
	try {
		const { parts, header, claims } = decodeToken(token, markInexact);
		return { header, claims, isSigned: parts[2] !== "" };
	} catch {
		return undefined;
	}
}

/** A string of JSON, or a number. */
const STRING_OR_NUMBER =
	/"(?:[^"\\]|\\.)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/gs;

const INFINITE = "1e999";

/** JavaScript keeps nothing of how a number was written, so that this must be seen before it is read. */
function markInexact(json: string): string {
	if (!/\d[.eE]/.test(json)) return json;
	return json.replace(STRING_OR_NUMBER, (literal) => {
		if (literal.startsWith('"') || !/[.eE]/.test(literal)) return literal;
		const value = Number(literal);
		if (!Number.isInteger(value)) return literal;
		return decimal(literal) === decimal(String(value)) ? literal : INFINITE;
	});
}

/** A number in one spelling, however it was written: its digits without zeros around them, and its exponent. */
function decimal(literal: string): string {
	const [mantissa = "", exponent = "0"] = literal.toLowerCase().split("e");
	const [whole = "", fraction = ""] = mantissa.replace("-", "").split(".");
	const digits = `${whole}${fraction}`.replace(/^0+/, "");
	const significant = digits.replace(/0+$/, "");
	if (significant === "") return "0";
	const shift = digits.length - significant.length - fraction.length;
	const sign = literal.startsWith("-") ? "-" : "";
	return `${sign}${significant}e${Number(exponent) + shift}`;
}

/**
 * The name of a client in a claim: a string that is not empty, or an integer as its digits.
 *
 * @returns undefined when it is neither
 * @throws {Refusal} for a number that is not exactly that integer: it would be somebody else's name
 */
export function clientName(value: unknown): string | undefined {
	requireExact(value);
	if (typeof value !== "number") return text(value);
	if (!Number.isSafeInteger(value)) throw refused("inexact_number", {});
	return String(value);
}

/** As deep as the plugin server's protocol carries them. */
const MAX_DEPTH = 64;

/**
 * Demands that a value of an incoming token, as `tokenPayload` read it, can be signed as it is.
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
