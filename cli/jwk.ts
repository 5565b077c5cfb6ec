import { createPublicKey } from "node:crypto";
import { calculateJwkThumbprint, type JWK } from "jose";
import { quoted } from "../jwk/printable";
import { parseConfig } from "../plugins/x-custom-jwt/config";
import { Misconfigured } from "../plugins/x-custom-jwt/errors";
import { BadUse } from "./files";

/** Public members by key type (RFC 7518 §6, RFC 8037 §2) with the curves the plugin signs on. */
const PUBLIC_MEMBERS: Record<string, { members: string[]; curves?: string[] }> =
	{
		RSA: { members: ["n", "e"] },
		EC: { members: ["crv", "x", "y"], curves: ["P-256", "P-384", "P-521"] },
		OKP: { members: ["crv", "x"], curves: ["Ed25519"] },
	};

/**
 * Members that say something about the key (RFC 7517 §4; `iat`, `nbf` and `exp` as registered by OpenID
 * Federation). `key_ops` is none of them: what the private half is for, the public half is not.
 */
const ABOUT = [
	...["kid", "use", "alg", "x5u", "x5c", "x5t", "x5t#S256"],
	...["iat", "nbf", "exp"],
];

/** Private and secret members of all key types (RFC 7518 §6). */
export const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/** The least an RSA key may have (RFC 7518 §3.3). */
const RSA_BITS = 2048;

/** Whether a JWK has private or secret members, usable or not. */
export function isPrivate(jwk: object): boolean {
	return PRIVATE_MEMBERS.some((member) => Object.hasOwn(jwk, member));
}

/** What a JWK is called in messages: its `kid`. */
export function nameOf({ kid }: JWK): string {
	return kid === undefined ? "the key without kid" : `key ${quoted(kid)}`;
}

/**
 * Reads one JWK or a JWK Set (RFC 7517 §4, §5).
 *
 * @param text JSON
 * @param what the text is called in messages, e.g. its file's name
 * @returns the keys, as they are; only their `kty` and `kid` are known to be texts
 * @throws {BadUse} naming the member at fault, never its value
 */
export function parseJwks(text: string, what: string): JWK[] {
	let json: unknown;
	try {
		json = JSON.parse(text);
	} catch {
		// Without V8's message, which quotes what it could not parse.
		throw new BadUse(`${what}: not JSON; a JWK or a JWK Set is expected`);
	}
	const isSet = isObject(json) && Object.hasOwn(json, "keys");
	const keys = isSet ? (json as { keys: unknown }).keys : [json];
	if (!Array.isArray(keys))
		throw new BadUse(`${what}: keys must be a list (RFC 7517 §5)`);
	return keys.map((key: unknown, index) => {
		const name = isSet ? `${what}: keys/${index}` : what;
		if (!isJwk(key))
			throw new BadUse(
				`${name}: not a JWK: an object with kty is expected, its kid a text`,
			);
		return key;
	});
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isJwk(value: unknown): value is JWK {
	return (
		isObject(value) &&
		typeof value.kty === "string" &&
		(value.kid === undefined || typeof value.kid === "string")
	);
}

/**
 * The public half of a JWK: its public members and those about the key, nothing else.
 *
 * @param jwk a private or a public JWK
 * @param what the JWK is called in messages
 * @throws {BadUse} for a symmetric key, which has none, and for members that form no key
 */
export function publicHalf(jwk: JWK, what: string): JWK {
	if (jwk.kty === "oct")
		throw new BadUse(
			`${what}: a symmetric key (oct) has no public half; it must not be published`,
		);
	const type = Object.hasOwn(PUBLIC_MEMBERS, jwk.kty ?? "")
		? PUBLIC_MEMBERS[jwk.kty ?? ""]
		: undefined;
	if (!type) throw new BadUse(`${what}: kty must be RSA, EC or OKP`);
	if (type.curves && !type.curves.includes(jwk.crv ?? ""))
		throw new BadUse(`${what}: crv must be ${type.curves.join(" or ")}`);
	const half = Object.fromEntries(
		["kty", ...type.members, ...ABOUT].flatMap((name) =>
			Object.hasOwn(jwk, name) ? [[name, jwk[name as keyof JWK]]] : [],
		),
	) as JWK;
	if (publicKeyBits(half, what) < RSA_BITS)
		throw new BadUse(`${what}: n must have at least ${RSA_BITS} bits`);
	return half;
}

function publicKeyBits(jwk: JWK, what: string): number {
	try {
		const key = createPublicKey({ key: { ...jwk }, format: "jwk" });
		return key.asymmetricKeyDetails?.modulusLength ?? RSA_BITS;
	} catch {
		throw new BadUse(`${what}: its members form no ${jwk.kty} key`);
	}
}

/**
 * Checks that a JWK can sign tokens, by the plugin's own rules.
 *
 * @param jwk a private JWK
 * @param what the JWK is called in messages
 * @returns the `alg` of tokens it signs, by default of the key when the JWK has none
 * @throws {BadUse} naming the member at fault
 */
export function checkPrivate(jwk: JWK, what: string): string {
	try {
		return parseConfig({ private_jwk: JSON.stringify(jwk) }).signingKey.alg;
	} catch (error) {
		if (!(error instanceof Misconfigured)) throw error;
		throw new BadUse(
			`${what}: ${error.message.replace(/^private_jwk(\/|: )?/, "")}`,
		);
	}
}

/**
 * The JWK Thumbprint with SHA-256 (RFC 7638): the same for both halves of a key, whatever else the JWK says.
 *
 * @param jwk an asymmetric JWK
 * @param what the JWK is called in messages
 * @throws {BadUse} as `publicHalf` does
 */
export function thumbprint(jwk: JWK, what: string): Promise<string> {
	return calculateJwkThumbprint(publicHalf(jwk, what));
}
