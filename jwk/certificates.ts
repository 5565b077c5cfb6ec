import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import type { JWK } from "jose";
import { JwkError } from "./error";
import { requireTexts } from "./members";

/**
 * The certificates of a key (RFC 7517 §4.7).
 *
 * @param x5c the JWK's member: DER in base64 each, the key's own first
 * @param key the public key
 * @throws {JwkError} when one is no certificate, or the first is not of this key
 */
export function certificateChain(
	x5c: unknown,
	key: KeyObject,
): [own: X509Certificate, ...chain: X509Certificate[]] {
	requireTexts("x5c", x5c);
	const [own, ...chain] = x5c.map((text, index) => {
		const parsed = parseCertificate(Buffer.from(text, "base64"));
		if (parsed?.raw.toString("base64") !== text)
			throw new JwkError(
				`x5c/${index}`,
				"is no certificate: DER in base64 is expected",
			);
		return parsed;
	});
	if (!own || !isOf(own, key))
		throw new JwkError("x5c/0", "is not the certificate of this key");
	return [own, ...chain];
}

/**
 * What is wrong with the certificates of a public JWK.
 *
 * @returns nothing when there are none
 */
export function certificateFault(jwk: JWK): string | undefined {
	if (jwk.x5c === undefined) return undefined;
	const { x5c, ...key } = jwk;
	try {
		certificateChain(x5c, createPublicKey({ key, format: "jwk" }));
		return undefined;
	} catch (error) {
		if (error instanceof JwkError) return error.message;
		throw error;
	}
}

function parseCertificate(der: Buffer): X509Certificate | undefined {
	try {
		return new X509Certificate(der);
	} catch {
		return undefined;
	}
}

function isOf(certificate: X509Certificate, key: KeyObject): boolean {
	try {
		const { publicKey } = certificate;
		// Of keys of two types Node.js leaves OpenSSL's error behind, with which the next key that is loaded fails.
		return (
			publicKey.asymmetricKeyType === key.asymmetricKeyType &&
			publicKey.equals(key)
		);
	} catch {
		// Its key is of a type that OpenSSL does not know.
		return false;
	}
}
