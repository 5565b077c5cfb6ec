/** Claims that bind a token to its request, or to the client's certificate. */
import { verifiedCertificate } from "./certificate";
import type { Claims, Platform } from "./platform";
import {
	bodyDigest,
	type Facts,
	FORWARDED_HOST,
	FORWARDED_PORT,
	FORWARDED_SCHEME,
	METHOD,
	PATH,
	type Question,
} from "./questions";
import { refused } from "./refusals";
import { writeUrl } from "./url";
import { requireWellFormed } from "./values";

/**
 * What the claims that bind a token to its request follow from.
 *
 * @param maxBytes how large the body may be, in bytes
 */
export function bindingQuestions(maxBytes: number): Question[] {
	return [
		METHOD,
		FORWARDED_SCHEME,
		FORWARDED_HOST,
		FORWARDED_PORT,
		PATH,
		bodyDigest(maxBytes),
	];
}

/**
 * Makes the claims that bind a token to its request: `htm` and `htu` (RFC 9449 §4.2, the method and the
 * URL without query) and `content_digest` (the value of RFC 9530's `Content-Digest`, of the body's bytes
 * as Kong received them).
 *
 * @param maxBytes as asked
 * @throws {Refusal} when the body is larger, or no URL can be made of the client's `Host` and path
 */
export function requestClaims(
	facts: Facts,
	maxBytes: number,
	platform: Platform,
): Claims {
	const digest = facts.get(bodyDigest(maxBytes));
	if (!digest) throw refused("nothing_to_bind", { what: "body" });
	if ("tooLarge" in digest)
		throw refused("body_too_large", { bytes: maxBytes });
	const method = facts.get(METHOD);
	const scheme = facts.get(FORWARDED_SCHEME);
	const host = facts.get(FORWARDED_HOST) ?? "";
	const port = facts.get(FORWARDED_PORT);
	const path = facts.get(PATH);
	if (!method || !scheme || port === undefined || path === undefined)
		throw refused("nothing_to_bind", { what: "request line" });
	requireWellFormed(platform, path, "path");
	if (!isPath(path, platform)) throw refused("odd_path", {});
	if (!isHost(host)) throw refused("odd_host", {});
	return [
		["htm", method],
		["htu", writeUrl(scheme, host, port, path)],
		["content_digest", `sha-256=:${digest.sha256}:`],
	];
}

/** A path, whose characters all URL readers take alike: `\` is `/` to some, and others drop what cannot be seen. */
function isPath(path: string, platform: Platform): boolean {
	return (
		(path === "" || path.startsWith("/")) &&
		!["\\", "?", "#"].some((character) => path.includes(character)) &&
		platform.isVisible(path)
	);
}

const LETTERS_AND_DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789";

/** A name or an address, in which no `#`, `?` or `@` ends the authority early (RFC 3986 §3.2). */
function isHost(host: string): boolean {
	const isBracketed = host.startsWith("[") && host.endsWith("]");
	const name = isBracketed ? host.slice(1, -1) : host;
	const allowed = isBracketed
		? "abcdef0123456789:."
		: `${LETTERS_AND_DIGITS}_.-`;
	if (name === "") return false;
	for (let at = 0; at < name.length; at += 1)
		if (!allowed.includes(name.charAt(at).toLowerCase())) return false;
	return true;
}

/**
 * Makes the claim that binds a token to the client's certificate (RFC 8705 §3.1); none when none was
 * verified.
 *
 * @param facts with answers to `certificateQuestions`
 */
export function certificateClaims(facts: Facts, platform: Platform): Claims {
	const certificate = verifiedCertificate(facts, platform);
	return certificate ? [["cnf", { "x5t#S256": certificate.fingerprint }]] : [];
}
