import type { SigningKey } from "../../jwk/signing-key";
import type { Claims } from "./claims";

/**
 * Prepares a signer of tokens; what all tokens of a configuration share is encoded once.
 *
 * @param key the prepared key; its `alg`, `kid` and `certificates` enter the protected header
 * @param header `jku`, the URL of the JWK Set (RFC 7515 §4.1.2), left out when empty, and `typ` (RFC 7519 §5.1)
 * @returns a function from a claims set to a JWT in JWS Compact Serialization (RFC 7515 §3.1)
 * @example await tokenSigner(key, { typ: "JWT", jku })({ client_id: "my-user" })
 */
export function tokenSigner(
	{ alg, kid, certificates, sign }: SigningKey,
	{ typ, jku }: { typ: string; jku: string },
): (claims: Claims) => Promise<string> {
	const header = encode({
		typ,
		alg,
		kid,
		...(jku && { jku }),
		...certificates,
	});
	return async (claims) => {
		const signingInput = `${header}.${encode(claims)}`;
		const signature = await sign(signingInput);
		return `${signingInput}.${signature.toString("base64url")}`;
	};
}

function encode(value: object): string {
	return Buffer.from(JSON.stringify(value)).toString("base64url");
}
