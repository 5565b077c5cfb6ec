import type { JWK } from "jose";
import { JwkError } from "./error";

/**
 * Parses the text of a JWK or a JWK Set.
 *
 * @throws {JwkError} that fits what the text looks like, and never quotes it as V8 does
 */
export function parseJson(text: string): unknown {
	// RFC 8259 §8.1 lets a parser ignore a byte order mark, which editors on Windows write.
	const json = text.replace(/^\uFEFF/, "");
	let value: unknown;
	try {
		value = JSON.parse(json);
	} catch {
		throw notJson(json.trim());
	}
	if (typeof value === "string" && value.trim().startsWith("{"))
		throw new JwkError(
			"",
			"not an object but a quoted JWK; leave out the quotes around it",
		);
	return value;
}

function notJson(text: string): JwkError {
	const expected = "a JWK or a JWK Set (RFC 7517) is expected";
	if (text === "")
		return new JwkError("", `empty; ${expected}`, { form: "empty" });
	if (text.startsWith("-----BEGIN "))
		return new JwkError("", `not JSON but PEM; ${expected}`, { form: "pem" });
	if (/^'.*'$/s.test(text))
		return new JwkError(
			"",
			"not JSON but a quoted text; leave out the quotes around it",
		);
	if (/^(ey|ew)[\w+/-]+=*$/.test(text))
		return new JwkError("", `not JSON but base64; ${expected} as it is`);
	if (text.startsWith("{") && isCutOff(text))
		return new JwkError(
			"",
			`not JSON: the text is cut off, perhaps after its first line; ${expected}`,
		);
	return new JwkError("", `not JSON; ${expected}`, { form: "unknown" });
}

/** Whether a JSON text ends before its last bracket is closed. */
function isCutOff(text: string): boolean {
	// Strings, the last one perhaps without its end.
	const brackets = text.replace(/"(?:[^"\\]|\\.)*(?:"|$)/gs, "");
	const count = (pattern: RegExp) => brackets.match(pattern)?.length ?? 0;
	return count(/[{[]/g) > count(/[}\]]/g);
}

/**
 * Reads one JWK or a JWK Set (RFC 7517 §4, §5).
 *
 * @param text JSON
 * @returns the keys, as they are; only their `kty` and `kid` are known to be texts
 * @throws {JwkError} naming the member at fault, never its value
 */
export function parseJwks(text: string): JWK[] {
	const { keys, faults } = readJwks(text);
	if (faults[0]) throw faults[0];
	return keys;
}

/**
 * Reads one JWK or a JWK Set as verifiers should: what is no key in a set does not spoil the others
 * (RFC 7517 §5).
 *
 * @returns the keys as `parseJwks` has them, and the faults of the others
 * @throws {JwkError} when it is neither a JWK nor a JWK Set
 */
export function readJwks(text: string): { keys: JWK[]; faults: JwkError[] } {
	const json = parseJson(text);
	if (!isObject(json) || !Object.hasOwn(json, "keys")) {
		if (isJwk(json)) return { keys: [json], faults: [] };
		throw notJwk("");
	}
	if (!Array.isArray(json.keys))
		throw new JwkError("keys", "must be a list (RFC 7517 §5)");
	const faults = [...json.keys.entries()].flatMap(([index, key]) =>
		isJwk(key) ? [] : [notJwk(`keys/${index}:`)],
	);
	return { keys: json.keys.filter(isJwk), faults };
}

function notJwk(member: string): JwkError {
	return new JwkError(
		member,
		"not a JWK: an object with kty is expected, its kid a text",
	);
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isJwk(value: unknown): value is JWK {
	return (
		isObject(value) &&
		typeof value.kty === "string" &&
		(value.kid === undefined || typeof value.kid === "string")
	);
}
