import { decode } from "jose/base64url";
import {
	ALGORITHMS,
	type AlgorithmName,
	algorithmsOf,
	type Kty,
} from "./algorithms";
import { JwkError } from "./error";

/** A private JWK whose members have been checked (RFC 7517 §4). */
export interface PrivateJwk {
	kty: Kty;
	crv?: string;
	alg?: AlgorithmName;
	kid?: string;
	use?: Use;
	key_ops?: string[];
	x5c?: string[];
	"x5t#S256"?: string;
	n?: string;
	e?: string;
	d?: string;
	p?: string;
	q?: string;
	dp?: string;
	dq?: string;
	qi?: string;
	x?: string;
	y?: string;
	k?: string;
	[member: string]: unknown;
}

export interface KeyType {
	/** Members of the public key, without `crv`. */
	public: string[];
	/** Members a private key must have besides. */
	private: string[];
	/** Octets of each coordinate by curve. */
	curves?: Record<string, number>;
}

/** Members of an RSA key that follow from `n`, `e` and `d` (RFC 7518 §6.3.2). */
export const CRT_MEMBERS = ["p", "q", "dp", "dq", "qi"];

/** Members by key type (RFC 7518 §6, RFC 8037 §2). */
export const KEY_TYPES: Record<Kty, KeyType> = {
	RSA: { public: ["n", "e"], private: ["d", ...CRT_MEMBERS] },
	EC: {
		public: ["x", "y"],
		private: ["d"],
		curves: { "P-256": 32, "P-384": 48, "P-521": 66 },
	},
	OKP: { public: ["x"], private: ["d"], curves: { Ed25519: 32 } },
	oct: { public: [], private: ["k"] },
};

/** What a key that signs may be for, its `use` (RFC 7517 §4.2); `jwt-svid` in trust bundles (SPIFFE JWT-SVID §5.2). */
export const USES = ["sig", "jwt-svid"] as const;

/** Value of the member `use`. */
export type Use = (typeof USES)[number];

/** Whether a key may be for signatures, and not for encryption alone. */
export function isForSignatures({ use = "sig" }: { use?: unknown }): boolean {
	return USES.some((name) => name === use);
}

/** Private and secret members of all key types (RFC 7518 §6). */
export const PRIVATE_MEMBERS = ["d", ...CRT_MEMBERS, "oth", "k"];

/** Whether a JWK has private or secret members, usable or not. */
export function isPrivate(jwk: object): boolean {
	return PRIVATE_MEMBERS.some((member) => Object.hasOwn(jwk, member));
}

/**
 * Members of a key type.
 *
 * @throws {JwkError} for a `kty` or `crv` that the plugin does not sign with
 */
export function keyTypeOf(jwk: { kty?: unknown; crv?: unknown }): KeyType & {
	kty: Kty;
} {
	const { kty, crv } = jwk;
	if (kty === undefined) throw new JwkError("kty", "is missing");
	if (typeof kty !== "string" || !Object.hasOwn(KEY_TYPES, kty))
		throw new JwkError("kty", "must be one of RSA, EC, OKP, oct");
	const type = KEY_TYPES[kty as Kty];
	if (type.curves) {
		if (crv === undefined) throw new JwkError("crv", "is missing");
		if (typeof crv !== "string" || !Object.hasOwn(type.curves, crv))
			throw new JwkError(
				"crv",
				`must be one of ${Object.keys(type.curves).join(", ")}`,
			);
	}
	return { ...type, kty: kty as Kty };
}

/**
 * Checks the members of a private JWK, not yet whether they form a key.
 *
 * @throws {JwkError} naming the first member at fault
 */
export function checkPrivateMembers(value: unknown): PrivateJwk {
	if (typeof value !== "object" || value === null || Array.isArray(value))
		throw new JwkError("", "must be object");
	const jwk = value as Record<string, unknown>;
	const type = keyTypeOf(jwk);
	if (type.kty === "RSA" && jwk.d && !CRT_MEMBERS.some((name) => jwk[name]))
		throw new JwkError("", `has no ${CRT_MEMBERS.join(", ")}`, {
			form: "incomplete",
		});
	requireMembers(jwk, [...type.public, ...type.private]);
	checkAbout(jwk, type.kty);
	return value as PrivateJwk;
}

/**
 * Checks the form of members of a key in canonical form.
 *
 * @param names which, of those in `KEY_TYPES`
 * @throws {JwkError} naming the first that is no text in base64url, or has not the octets that its curve demands
 * (RFC 7518 §6.2.1.2, RFC 8037 §2): node:crypto takes a private Ed25519 key with an `x` of any length
 */
export function requireMembers(
	jwk: Record<string, unknown>,
	names: string[],
): void {
	const octets = keyTypeOf(jwk).curves?.[String(jwk.crv)];
	for (const name of names) {
		const value = requireBase64url(jwk, name);
		const { length } = decode(value);
		if (octets !== undefined && length !== octets)
			throw new JwkError(
				name,
				`must have ${octets} octets for ${jwk.crv}; it has ${length}`,
			);
	}
}

/** Whether a value is a text in base64url without padding (RFC 7515 §2). */
export function isBase64url(value: unknown): value is string {
	return (
		typeof value === "string" &&
		/^[A-Za-z0-9_-]+$/.test(value) &&
		value.length % 4 !== 1
	);
}

/** @throws {JwkError} unless the member is a text in base64url without padding (RFC 7515 §2) */
function requireBase64url(
	jwk: Record<string, unknown>,
	member: string,
): string {
	const value = jwk[member];
	if (value === undefined) throw new JwkError(member, "is missing");
	if (typeof value !== "string") throw new JwkError(member, "must be string");
	if (!isBase64url(value))
		throw new JwkError(
			member,
			"must be in the URL-safe alphabet of RFC 4648 §5, without padding",
			member === "k" ? { form: "secret" } : {},
		);
	return value;
}

/** Checks the members that say something about the key (RFC 7517 §4). */
function checkAbout(jwk: Record<string, unknown>, kty: Kty): void {
	const { alg, kid, use, key_ops, x5c } = jwk;
	const algorithms = Object.keys(ALGORITHMS).filter(
		(name) => ALGORITHMS[name as AlgorithmName].kty === kty,
	);
	if (alg !== undefined && !algorithms.includes(String(alg)))
		throw new JwkError("alg", `must be one of ${algorithms.join(", ")}`);
	if (alg !== undefined && !algorithmsOf(jwk).includes(alg as AlgorithmName))
		throw new JwkError("alg", "does not fit crv");
	if (kid !== undefined && (typeof kid !== "string" || kid === ""))
		throw new JwkError("kid", "must be a text that is not empty");
	if (!isForSignatures({ use }))
		throw new JwkError("use", `must be ${USES.join(" or ")}`);
	// node:crypto would ignore further primes and sign with what is left.
	if (jwk.oth !== undefined) throw new JwkError("oth", "is not supported");
	if (key_ops !== undefined) {
		requireTexts("key_ops", key_ops);
		if (!key_ops.includes("sign"))
			throw new JwkError("key_ops", "must contain sign");
	}
	if (x5c !== undefined) requireTexts("x5c", x5c);
	if (jwk["x5t#S256"] !== undefined) requireBase64url(jwk, "x5t#S256");
}

/** @throws {JwkError} unless the member is a list of texts */
export function requireTexts(
	member: string,
	value: unknown,
): asserts value is string[] {
	if (!Array.isArray(value)) throw new JwkError(member, "must be array");
	const odd = value.findIndex((item) => typeof item !== "string");
	if (odd >= 0) throw new JwkError(`${member}/${odd}`, "must be string");
}
