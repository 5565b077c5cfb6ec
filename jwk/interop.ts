/**
 * What RFC 7517 leaves open, or forbids without effect here, and libraries that backends use choke on.
 *
 * @param jwk either half of a key, `kid` being the one its tokens name; whether its members can be used is not looked at
 * @returns each with the library that breaks
 */
export function interopWarnings(jwk: {
	kty?: unknown;
	kid?: unknown;
	key_ops?: unknown;
}): string[] {
	const { kty, kid, key_ops } = jwk;
	const warnings: string[] = [];
	// A symmetric key is in no JWK Set.
	if (kty !== "oct" && kid === undefined)
		warnings.push(
			"kid is missing: PyJWT, jwx and go-jose do not find the key, and it cannot be rotated",
		);
	if (kty !== "oct" && /[^\0-\x7f]/.test(String(kid)))
		warnings.push(
			"kid has characters outside ASCII: jwks-rsa (Node.js) reads them in the token as Latin-1 and does not find the key",
		);
	if (Array.isArray(key_ops) && new Set(key_ops).size < key_ops.length)
		warnings.push(
			"key_ops names an operation twice (RFC 7517 §4.3): jose refuses the key",
		);
	return warnings;
}
