import { createPublicKey } from "node:crypto";
import { calculateJwkThumbprint, type JWK } from "jose";
import { RSA_BITS } from "./algorithms";
import { canonical } from "./canonical";
import { JwkError } from "./error";
import { keyTypeOf, requireMembers } from "./members";
import { quoted } from "./printable";

/**
 * Members that say something about the key (RFC 7517 §4; `iat`, `nbf` and `exp` as registered by OpenID
 * Federation). `key_ops` is none of them: what the private half is for, the public half is not.
 */
const ABOUT = [
	"kid",
	"use",
	"alg",
	"x5u",
	"x5c",
	"x5t",
	"x5t#S256",
	"iat",
	"nbf",
	"exp",
];

/** What a JWK is called in messages: its `kid`. */
export function nameOf({ kid }: JWK): string {
	return kid === undefined ? "the key without kid" : `key ${quoted(kid)}`;
}

/**
 * The public half of a JWK: its public members and those about the key, nothing else.
 *
 * @param given a private or a public JWK
 * @returns canonical form
 * @throws {JwkError} for a symmetric key, which has none, and for members that form no key
 */
export function publicHalf(given: JWK): JWK {
	const jwk = canonical(given).jwk as JWK;
	if (jwk.kty === "oct")
		throw new JwkError(
			"",
			"a symmetric key (oct) has no public half; it must not be published",
		);
	const type = keyTypeOf(jwk);
	requireMembers(jwk, type.public);
	const members = ["kty", ...(type.curves ? ["crv"] : []), ...type.public];
	const half = Object.fromEntries(
		[...members, ...ABOUT].flatMap((name) =>
			Object.hasOwn(jwk, name) ? [[name, jwk[name as keyof JWK]]] : [],
		),
	) as JWK;
	if (publicKeyBits(half) < RSA_BITS)
		throw new JwkError("n", `must have at least ${RSA_BITS} bits`);
	return half;
}

function publicKeyBits(jwk: JWK): number {
	try {
		const key = createPublicKey({ key: { ...jwk }, format: "jwk" });
		return key.asymmetricKeyDetails?.modulusLength ?? RSA_BITS;
	} catch {
		throw new JwkError("", `its members form no ${jwk.kty} key`);
	}
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
