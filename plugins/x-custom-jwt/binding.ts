import { createHash } from "node:crypto";
import type { Claims } from "./claims";
import { Misconfigured, PayloadTooLarge, Unauthorized } from "./errors";
import type { Kong } from "./pdk";
import { writeUrl } from "./url";

/** A name or an address, in which no `#`, `?` or `@` ends the authority early (RFC 3986 §3.2). */
const HOST = /^([\w.-]+|\[[\da-f:.]+\])$/i;

/**
 * Makes the claims that bind a token to its request: `htm` and `htu` (RFC 9449 §4.2, the method and the
 * URL without query) and `content_digest` (the value of RFC 9530's `Content-Digest`, of the body's bytes
 * as Kong received them).
 *
 * @param maxBodySize in bytes
 * @throws {PayloadTooLarge} when the body is larger
 * @throws {Unauthorized} when the client's `Host` is none
 */
export async function requestClaims(
	{ request }: Kong,
	maxBodySize: number,
): Promise<Claims> {
	// Asked first: Kong does not read a larger body than it is told to, but ends the request with 500.
	const contentLength = Number(await request.getHeader("content-length"));
	if (contentLength > maxBodySize) throw tooLarge(maxBodySize);
	const body = await request.getRawBody(maxBodySize);
	if (!body)
		throw new Misconfigured("Kong has no body to bind to", "unexpected");
	if (body.length > maxBodySize) throw tooLarge(maxBodySize);

	const htm = await request.getMethod();
	const scheme = await request.getForwardedScheme();
	const host = await request.getForwardedHost();
	if (!HOST.test(host))
		throw new Unauthorized(
			"bind_request: the Host header is no host name",
			"claim_refused",
		);
	const port = await request.getForwardedPort();
	const path = await request.getRawPath();
	const digest = createHash("sha256").update(body).digest("base64");
	return {
		htm,
		htu: writeUrl(scheme, host, port, path),
		content_digest: `sha-256=:${digest}:`,
	};
}

function tooLarge(maxBodySize: number): PayloadTooLarge {
	return new PayloadTooLarge(
		`bind_request: the body has more than ${maxBodySize} bytes; see max_request_body_size`,
	);
}
