import type { Claims } from "./claims";
import type { SigningKey } from "./signing-key";

/**
 * Prepares a signer of tokens; what all tokens of a configuration share is encoded once.
 *
 * @param key the prepared key; its `alg` and `kid` enter the protected header
 * @param jku URL of the JWK Set, for the protected header (RFC 7515 §4.1.2)
 * @returns a function from a claims set to a JWT in JWS Compact Serialization (RFC 7515 §3.1)
 * @example await tokenSigner(config.signingKey, config.jku)({ client_id: "my-user" })
 */
export function tokenSigner(
	key: SigningKey,
	jku: string,
): (claims: Claims) => Promise<string> {
	const header = encode({ typ: "JWT", alg: key.alg, kid: key.kid, jku });
	return async (claims) => {
		const signingInput = `${header}.${encode(claims)}`;
		const signature = await key.sign(signingInput);
		return `${signingInput}.${signature.toString("base64url")}`;
	};
}

function encode(value: object): string {
	return Buffer.from(JSON.stringify(value)).toString("base64url");
}
