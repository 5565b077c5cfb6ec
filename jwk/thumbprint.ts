import { createHash } from "node:crypto";
import { KEY_TYPES, type PrivateJwk } from "./members";

/**
 * The JWK Thumbprint with SHA-256 (RFC 7638 §3): the same for both halves of a key, whatever else the JWK says.
 *
 * @param jwk in canonical form; of a symmetric key it is the hash of the secret, which is for comparing only (§7)
 * @returns base64url
 */
export function thumbprintOf(jwk: Pick<PrivateJwk, "kty">): string {
	const { kty } = jwk;
	const { curves, public: members, private: secret } = KEY_TYPES[kty];
	const required = [
		"kty",
		...(curves ? ["crv"] : []),
		...(kty === "oct" ? secret : members),
	].sort();
	// A list of names is also the order in which JSON.stringify writes them.
	const json = JSON.stringify(jwk, required);
	return createHash("sha256").update(json).digest("base64url");
}
