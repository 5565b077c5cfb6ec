import { createPublicKey } from "node:crypto";
import type { JWK } from "jose";
import { signingAlgorithm } from "./algorithms";
import { certificateFault } from "./certificates";
import { JwkError } from "./error";
import { interopWarnings } from "./interop";
import { isForSignatures, keyTypeOf } from "./members";
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
 * The public half as backends get it: with `alg`, and without `x5c` where that would cost them the key.
 *
 * @param given a private or a public JWK
 * @param algorithm that its tokens will have; the key's own or its type's default when nobody says
 * @returns the JWK, and what backends may choke on, or what was left out
 * @throws {JwkError} as `publicHalf` does
 */
export function publishedHalf(
	given: JWK,
	algorithm?: string,
): { jwk: JWK; warnings: string[] } {
	const half = publicHalf(given);
	const needsAlg = algorithm !== undefined || half.alg === undefined;
	const jwk: JWK =
		needsAlg && isForSignatures(half)
			? { ...half, alg: signingAlgorithm(half, algorithm) }
			: half;
	const fault = certificateFault(half);
	if (fault === undefined) return { jwk, warnings: interopWarnings(jwk) };
	const { x5c: _, ...rest } = jwk;
	return {
		jwk: rest,
		warnings: [`x5c is left out, as ${fault}`, ...interopWarnings(jwk)],
	};
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
