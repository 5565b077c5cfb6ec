import type { JWK } from "jose";
import { decode } from "jose/base64url";
import { RSA_BITS } from "./algorithms";
import { canonical } from "./canonical";
import { JwkError } from "./error";
import { keyTypeOf, requireMembers } from "./members";
import { quoted } from "./printable";

/**
 * What is written into a published key about its rotation, in seconds since the epoch. The names are
 * our own: other tools write `iat`, `nbf` and `exp` into keys, and mean something else.
 */
export const ROTATION_MARKS = {
	/** When the key joined the JWK Set. */
	published: "x_custom_jwt_published",
	/** When the key began to sign. */
	activated: "x_custom_jwt_activated",
	/** When the last token that the key signed has expired, and the key may leave. */
	retirable: "x_custom_jwt_retirable",
} as const;

/**
 * Members that say something about the key (RFC 7517 §4), and our marks. `key_ops` is not one of them: what
 * the private half is for, the public half is not. Nor are the `iat`, `nbf` and `exp` of other tools.
 */
const ABOUT = [
	"kid",
	"use",
	"alg",
	"x5u",
	"x5c",
	"x5t",
	"x5t#S256",
	...Object.values(ROTATION_MARKS),
];

/** What a JWK is called in messages: its `kid`. */
export function nameOf({ kid }: JWK): string {
	return kid === undefined ? "the key without kid" : `key ${quoted(kid)}`;
}

/**
 * The public members of a JWK and those about the key, nothing else; not yet whether they form a key.
 *
 * @param given a private or a public JWK
 * @returns canonical form
 * @throws {JwkError} for a symmetric key, which has none, for a short RSA key and
 * for members of another form
 */
export function publicMembers(given: JWK): JWK {
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
	if (half.n && bitsOf(half.n) < RSA_BITS)
		throw new JwkError("n", `must have at least ${RSA_BITS} bits`);
	return half;
}

/** The length of an integer in base64url (RFC 7518 §2, Base64urlUInt). */
function bitsOf(integer: string): number {
	const [first = 0, ...rest] = decode(integer);
	return 32 - Math.clz32(first) + 8 * rest.length;
}
