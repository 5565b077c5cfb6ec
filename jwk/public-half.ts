import { createPublicKey } from "node:crypto";
import type { JWK } from "jose";
import { JwkError } from "./error";
import { keyTypeOf } from "./members";
import { publicMembers } from "./public-members";
import { thumbprintOf } from "./thumbprint";

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
 * The JWK Thumbprint of a key as it was given.
 *
 * @param jwk an asymmetric JWK, either half
 * @throws {JwkError} as `publicHalf` does
 */
export function thumbprint(jwk: JWK): string {
	const half = publicHalf(jwk);
	return thumbprintOf({ ...half, kty: keyTypeOf(half).kty });
}
