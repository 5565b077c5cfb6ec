import {
	calculateJwkThumbprint,
	exportJWK,
	generateKeyPair,
	type JWK,
} from "jose";
import { RSA_BITS } from "./algorithms";
import { JwkError } from "./error";
import type { Use } from "./members";

/** What of a new key is to be chosen. */
export interface KeyOptions {
	/** Key ID; the JWK Thumbprint (RFC 7638) by default. */
	kid?: string;
	/** What it is for; `sig` by default. */
	use?: Use;
	/** Size of an RSA key; the least there may be by default. */
	bits?: number;
}

/**
 * Generates a private JWK.
 *
 * @param alg JWS algorithm, one of `PUBLIC_KEY_ALGORITHMS`
 * @throws {JwkError} for `bits` with an algorithm whose keys have one size
 */
export async function generateKey(
	alg: string,
	{ kid, use = "sig", bits }: KeyOptions = {},
): Promise<JWK> {
	const isRsa = /^[RP]S/.test(alg);
	if (bits !== undefined && !isRsa)
		throw new JwkError("", `only RSA keys differ in size, not those of ${alg}`);
	const { privateKey } = await generateKeyPair(alg, {
		extractable: true,
		...(isRsa && { modulusLength: bits ?? RSA_BITS }),
	});
	const jwk = await exportJWK(privateKey);
	return {
		...jwk,
		kid: kid ?? (await calculateJwkThumbprint(jwk)),
		use,
		alg,
	};
}
