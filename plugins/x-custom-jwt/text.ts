import { refused } from "./errors";

/** A text that is not empty, else undefined. */
export function text(value: unknown): string | undefined {
	return typeof value === "string" && value !== "" ? value : undefined;
}

/** What becomes of bytes that are no UTF-8: U+FFFD, or half a surrogate pair. */
const BROKEN = /[\uFFFD\p{Surrogate}]/u;

/**
 * Demands that texts arrived as they were sent. Bytes that are no UTF-8 arrive as U+FFFD, and different
 * ones alike, so that one client could pass for another.
 *
 * @param value any; texts in it are looked at, however deep
 * @param what it is, for the message
 * @throws {Refusal} when a text in it is not well-formed
 */
export function requireWellFormed(value: unknown, what: string): void {
	if (typeof value === "string") {
		if (BROKEN.test(value)) throw refused("not_utf8", { what });
		return;
	}
	if (typeof value !== "object" || value === null) return;
	for (const member of Object.values(value)) requireWellFormed(member, what);
}
