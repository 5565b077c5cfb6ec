import { quoted } from "../../jwk/printable";
import type { Claims } from "./claims";
import type { Config } from "./config";
import { refused } from "./errors";

/** In bytes: with its name, and beside what else a client sends, a header of 8 KB, which nginx takes at most. */
const UNUSUALLY_LARGE = 7500;

/**
 * Demands that a token is not larger than it may be.
 *
 * @param bytes its size
 * @returns a warning for Kong's log when there is no limit and backends may refuse it
 * @throws {Refusal} above `max_token_size`
 */
export function checkSize(
	{ max_token_size }: Pick<Config, "max_token_size">,
	bytes: number,
	claims: Claims,
): string | undefined {
	if (max_token_size === 0)
		return bytes > UNUSUALLY_LARGE
			? `a token of ${bytes} bytes: many backends refuse such a header with 400 or 431; largest claims: ${largest(claims)}; remove_claims and keep_claims make it smaller, max_token_size limits it`
			: undefined;
	if (bytes <= max_token_size) return undefined;
	throw refused("token_too_large", { bytes, claims: largest(claims) });
}

/** Names and sizes of the claims that take most, never their values. */
function largest(claims: Claims): string {
	return Object.entries(claims)
		.map(([name, value]) => ({ name, bytes: jsonBytes(value) }))
		.sort((a, b) => b.bytes - a.bytes)
		.slice(0, 3)
		.map(({ name, bytes }) => `${quoted(name.slice(0, 40))} (${bytes} bytes)`)
		.join(", ");
}

function jsonBytes(value: unknown): number {
	return Buffer.byteLength(JSON.stringify(value) ?? "");
}
