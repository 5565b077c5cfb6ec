import { verifiedCertificate } from "./certificate";
import type { Claims } from "./claims";
import { refused } from "./errors";
import type { Facts, Question } from "./facts";
import { requireWellFormed } from "./text";
import { writeUrl } from "./url";

/** A name or an address, in which no `#`, `?` or `@` ends the authority early (RFC 3986 §3.2). */
const HOST = /^([\w.-]+|\[[\da-f:.]+\])$/i;

/** A path, whose characters all URL readers take alike: `\` is `/` to some, and others drop control characters. */
const PATH = /^(\/[^\\?#\p{Cc}\s]*)?$/u;

/**
 * What the claims that bind a token to its request follow from.
 *
 * @param maxBytes how large the body may be, in bytes
 */
export function bindingQuestions(maxBytes: number): Question[] {
	return [
		{ about: "method" },
		{ about: "forwarded_scheme" },
		{ about: "forwarded_host" },
		{ about: "forwarded_port" },
		{ about: "path" },
		{ about: "body_digest", maxBytes },
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
export function requestClaims(facts: Facts, maxBytes: number): Claims {
	const digest = facts.get("body_digest");
	if (!digest) throw refused("nothing_to_bind", { what: "body" });
	if ("tooLarge" in digest)
		throw refused("body_too_large", { bytes: maxBytes });
	const method = facts.get("method");
	const scheme = facts.get("forwarded_scheme");
	const host = facts.get("forwarded_host");
	const port = facts.get("forwarded_port");
	const path = facts.get("path");
	if (!method || !scheme || port === undefined || path === undefined)
		throw refused("nothing_to_bind", { what: "request line" });
	requireWellFormed(path, "path");
	if (!PATH.test(path)) throw refused("odd_path", {});
	if (!host || !HOST.test(host)) throw refused("odd_host", {});
	return {
		htm: method,
		htu: writeUrl(scheme, host, port, path),
		content_digest: `sha-256=:${digest.sha256}:`,
	};
}

/**
 * Makes the claim that binds a token to the client's certificate (RFC 8705 §3.1); none when none was
 * verified.
 *
 * @param facts with answers to `certificateQuestions`
 */
export function certificateClaims(facts: Facts): Claims {
	const certificate = verifiedCertificate(facts);
	return certificate ? { cnf: { "x5t#S256": certificate.fingerprint } } : {};
}
