import { createPublicKey } from "node:crypto";
import { calculateJwkThumbprint, type JWK } from "jose";
import { JwkError } from "./error";
import { publicMembers } from "./public-members";

/**
 * The public half of a JWK: its public members and those about the key, nothing else.
 *
 * @param given a private or a public JWK
 * @returns canonical form
 * @throws {JwkError} as `publicMembers` does, and for members that form no key
 */
export function publicHalf(given: JWK): JWK {
	const half = publicMembers(given);
	try {
		createPublicKey({ key: { ...half }, format: "jwk" });
	} catch {
		throw new JwkError("", `its members form no ${half.kty} key`);
	}
	return half;
}

/**
 * The JWK Thumbprint with SHA-256 (RFC 7638): the same for both halves of a key, whatever else the JWK says.
 *
 * @param jwk an asymmetric JWK
 * @throws {JwkError} as `publicHalf` does
 */
export async function thumbprint(jwk: JWK): Promise<string> {
	return calculateJwkThumbprint(publicHalf(jwk));
}
