/** Looking at values that came as JSON, alike in JavaScript and in Lua. */
import type { Platform } from "./platform";
import { refused } from "./refusals";

/** The largest integer that a JSON number keeps exactly in every reader (RFC 7493 §2.2). */
export const MAX_SAFE_INTEGER = 9007199254740991;

/** Members by their names, which may be any. */
export type Members = Record<string, unknown>;

/** A text that is not empty, else undefined. */
export function text(value: unknown): string | undefined {
	return typeof value === "string" && value !== "" ? value : undefined;
}

/** A value that is there: neither undefined nor JSON's `null`, which is of a type of its own in Lua. */
export function given(value: unknown): unknown {
	const type: string = typeof value;
	return value === null || type === "userdata" ? undefined : value;
}

/** Whether a value is an object or a list. */
export function hasMembers(value: unknown): value is Members {
	return typeof value === "object" && value !== null;
}

/** A member that an object has itself: what a JavaScript object inherits is functions, which JSON does not have. */
function own(value: Members, name: string): unknown {
	if (Array.isArray(value)) {
		const list: unknown[] = value;
		const index = Number(name);
		return `${index}` === name ? list[index] : undefined;
	}
	const member = name === "__proto__" ? undefined : value[name];
	return typeof member === "function" ? undefined : member;
}

/**
 * A member of an object or a list, which counts from 0, by its whole name, which may have dots in it, as URLs have; else one of a member.
 *
 * @param path e.g. `https://example.com/roles`, `realm_access.roles`
 * @returns undefined when there is none, or it is `null`
 * @example memberAt({ act: { sub: "a" } }, "act.sub") // "a"
 */
export function memberAt(value: unknown, path: string): unknown {
	if (!hasMembers(value)) return undefined;
	const whole = given(own(value, path));
	if (whole !== undefined) return whole;
	let dot = path.indexOf(".");
	while (dot >= 0) {
		const found = memberAt(own(value, path.slice(0, dot)), path.slice(dot + 1));
		if (found !== undefined) return found;
		dot = path.indexOf(".", dot + 1);
	}
	return undefined;
}

/** Each of a list once, in its order. */
export function distinct<Value>(values: readonly Value[]): Value[] {
	const once: Value[] = [];
	for (const value of values) if (!once.includes(value)) once.push(value);
	return once;
}

/** The texts in a value that should be one or several (RFC 7519 §2, StringOrURI). */
export function texts(value: unknown): string[] {
	const all: unknown[] = Array.isArray(value) ? value : [value];
	const found: string[] = [];
	for (const one of all) {
		const some = text(one);
		if (some !== undefined) found.push(some);
	}
	return found;
}

/**
 * Where a string in JSON has ended.
 *
 * @param start of its first quote
 */
export function endOfString(json: string, start: number): number {
	let quote = json.indexOf('"', start + 1);
	while (quote >= 0) {
		let escapes = 0;
		while (json.charAt(quote - 1 - escapes) === "\\") escapes += 1;
		if (escapes % 2 === 0) return quote + 1;
		quote = json.indexOf('"', quote + 1);
	}
	return json.length;
}

/**
 * Demands that texts arrived as they were sent, or one client could pass for another.
 *
 * @param value any; texts in it are looked at, however deep
 * @param what it is, for the message
 * @throws {Refusal} when a text in it is not well-formed
 */
export function requireWellFormed(
	platform: Platform,
	value: unknown,
	what: string,
): void {
	if (typeof value === "string") {
		if (!platform.isWellFormed(value)) throw refused("not_utf8", { what });
		return;
	}
	if (!hasMembers(value)) return;
	for (const name in value) requireWellFormed(platform, value[name], what);
}
