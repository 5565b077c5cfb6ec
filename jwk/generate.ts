import {
	calculateJwkThumbprint,
	exportJWK,
	generateKeyPair,
	type JWK,
} from "jose";
import { JwkError } from "./error";

/**
 * Generates a private JWK.
 *
 * @param alg JWS algorithm, one of `PUBLIC_KEY_ALGORITHMS`
 * @param kid key ID; the JWK Thumbprint (RFC 7638) by default
 * @param bits size of an RSA key, 2048 by default
 * @throws {JwkError} for `bits` with an algorithm whose keys have one size
 */
export async function generateKey(
	alg: string,
	kid?: string,
	bits?: number,
): Promise<JWK> {
	const isRsa = /^[RP]S/.test(alg);
	if (bits !== undefined && !isRsa)
		throw new JwkError(
			"",
			`--bits is for RSA keys; those of ${alg} have one size`,
		);
	const { privateKey } = await generateKeyPair(alg, {
		extractable: true,
		...(isRsa && { modulusLength: bits ?? 2048 }),
	});
	const jwk = await exportJWK(privateKey);
	return {
		...jwk,
		kid: kid ?? (await calculateJwkThumbprint(jwk)),
		use: "sig",
		alg,
	};
}
