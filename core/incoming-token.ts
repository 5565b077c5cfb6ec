/** Reading the token that a client came with. */
import type { Platform } from "./platform";
import { refused } from "./refusals";
import {
	endOfString,
	hasMembers,
	MAX_SAFE_INTEGER,
	type Members,
	text,
} from "./values";

/** A token that a client sent, read. */
export interface IncomingToken {
	/** The JOSE header (RFC 7515 §4). */
	header: Members;
	/** The claims set (RFC 7519 §4). */
	claims: Members;
	/** Whether it has a signature, of whatever worth. */
	isSigned: boolean;
}

/**
 * Reads a token; undefined when it is not a JWT (RFC 7519 §7.2), as when its claims are not UTF-8. A number that
 * would be read as an integer and is none is infinite in its claims, so that `requireExact` rejects it.
 */
export function readToken(
	token: string,
	platform: Platform,
): IncomingToken | undefined {
	const parts = token.split(".");
	const [first, second, signature] = parts;
	if (parts.length !== 3) return undefined;
	const header = readPart(platform, first, (json) => json);
	const claims = readPart(platform, second, (json) =>
		markInexact(json, platform),
	);
	return header && claims
		? { header, claims, isSigned: signature !== "" }
		: undefined;
}

/**
 * Whether a text is a JWT in compact serialization, signed or encrypted; the second part may be empty (RFC 7516 §7.1,
 * the encrypted key).
 */
export function isToken(value: string, platform: Platform): boolean {
	const parts = value.split(".");
	return (
		parts.length >= 3 &&
		readPart(platform, parts[0], (json) => json) !== undefined
	);
}

function readPart(
	platform: Platform,
	part: string | undefined,
	prepare: (json: string) => string,
): Members | undefined {
	const json = platform.decodeBase64url(part ?? "");
	if (json === undefined) return undefined;
	try {
		const value = platform.decodeJson(prepare(json));
		const isList = Array.isArray(value) && value.length > 0;
		return hasMembers(value) && !isList ? value : undefined;
	} catch {
		return undefined;
	}
}

const INFINITE = "1e999";

const DIGITS = "0123456789";

/** Nothing is kept of how a number was written once it is read, so that this must be seen before. */
function markInexact(json: string, platform: Platform): string {
	let marked = "";
	let done = 0;
	let at = 0;
	while (at < json.length) {
		const character = json.charAt(at);
		if (character === '"') {
			at = endOfString(json, at);
		} else if (character === "-" || DIGITS.includes(character)) {
			const start = at;
			at += 1;
			while (at < json.length && `${DIGITS}+-.eE`.includes(json.charAt(at)))
				at += 1;
			const literal = json.slice(start, at);
			if (!isExact(literal, platform)) {
				marked += json.slice(done, start) + INFINITE;
				done = at;
			}
		} else {
			at += 1;
		}
	}
	return done === 0 ? json : marked + json.slice(done);
}

/** Whether a number that is read as an integer was written as just that. */
function isExact(literal: string, platform: Platform): boolean {
	const lower = literal.toLowerCase();
	if (!lower.includes(".") && !lower.includes("e")) return true;
	const value = numberIn(literal, platform);
	// None, a fraction, or refused in any case.
	if (
		value === undefined ||
		Math.floor(value) !== value ||
		Math.abs(value) > MAX_SAFE_INTEGER
	)
		return true;
	return decimal(lower) === decimal(platform.encodeJson(value));
}

function numberIn(literal: string, platform: Platform): number | undefined {
	try {
		return platform.decodeJson(literal) as number;
	} catch {
		return undefined;
	}
}

/** A number in one spelling, however it was written: its digits without zeros around them, and its exponent. */
function decimal(literal: string): string {
	const [mantissa = "", exponent = "0"] = literal.split("e");
	const isNegative = mantissa.startsWith("-");
	const [whole = "", fraction = ""] = (
		isNegative ? mantissa.slice(1) : mantissa
	).split(".");
	const digits = whole + fraction;
	let first = 0;
	while (digits.charAt(first) === "0") first += 1;
	let last = digits.length;
	while (last > first && digits.charAt(last - 1) === "0") last -= 1;
	if (first === last) return "0";
	const shift = Number(exponent) + digits.length - last - fraction.length;
	return `${isNegative ? "-" : ""}${digits.slice(first, last)}e${shift}`;
}

/**
 * The name of a client in a claim: a string that is not empty, or an integer as its digits.
 *
 * @returns undefined when it is neither
 * @throws {Refusal} for a number that is not exactly that integer: it would be somebody else's name
 */
export function clientName(
	value: unknown,
	platform: Platform,
): string | undefined {
	if (typeof value !== "number") return text(value);
	if (Math.floor(value) !== value || Math.abs(value) > MAX_SAFE_INTEGER)
		throw refused("inexact_number", {});
	// Without the sign of a zero, which Lua writes.
	return platform.encodeJson(value + 0);
}

/** As deep as the plugin server's protocol carries them. */
const MAX_DEPTH = 64;

/**
 * Demands that a value of an incoming token can be signed as it is.
 *
 * @throws {Refusal} for a number that would be signed as another one: somebody else's id, say
 */
export function requireExact(
	value: unknown,
	platform: Platform,
	depth = 0,
): void {
	if (typeof value === "number") requireExactNumber(value, platform);
	if (!hasMembers(value)) return;
	if (depth > MAX_DEPTH) throw refused("deep_token", { depth: MAX_DEPTH });
	for (const member of Object.values(value))
		requireExact(member, platform, depth + 1);
}

function requireExactNumber(value: number, platform: Platform): void {
	const isExactly =
		Math.abs(value) <= MAX_SAFE_INTEGER &&
		(Math.floor(value) === value ||
			platform.decodeJson(platform.encodeJson(value)) === value);
	if (!isExactly) throw refused("inexact_number", {});
}
