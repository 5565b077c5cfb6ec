import { checkPrimeSync, createHash } from "node:crypto";
import { JwkError } from "./error";
import type { PrivateJwk } from "./members";

/** Usual public exponents below 65537, which FIPS 186-5 §A.1.1 does not allow. */
const SMALL_EXPONENTS = [3n, 17n];

/** The integer of a member (RFC 7518 §2, Base64urlUInt); 0 for one that is not there. */
export function integer(text: unknown): bigint {
	return BigInt(
		`0x0${Buffer.from(String(text ?? ""), "base64url").toString("hex")}`,
	);
}

/** The member of an integer. */
export function base64url(value: bigint): string {
	const hex = value.toString(16);
	return Buffer.from(
		hex.padStart(hex.length + (hex.length % 2), "0"),
		"hex",
	).toString("base64url");
}

/** @returns the inverse of `value`, which has no divisor in common with the modulus */
export function inverse(value: bigint, modulus: bigint): bigint {
	let [r, next] = [modulus, value % modulus];
	let [t, nextT] = [0n, 1n];
	while (next !== 0n) {
		const quotient = r / next;
		[r, next] = [next, r - quotient * next];
		[t, nextT] = [nextT, t - quotient * nextT];
	}
	return ((t % modulus) + modulus) % modulus;
}

/** @returns the greatest common divisor */
export function divisor(a: bigint, b: bigint): bigint {
	let [x, y] = [a, b];
	while (y !== 0n) [x, y] = [y, x % y];
	return x;
}

/**
 * OpenSSL signs with an RSA key some of whose members are of another key, only several times slower,
 * so that nobody would notice (RFC 8017 §3.2 says how they belong together); and with weak ones
 * (FIPS 186-5 §A.1.1, §A.1.3).
 *
 * @param thorough whether primes that take OpenSSL seconds to check are checked too
 * @returns what is allowed but not recommended
 * @throws {JwkError} with the reason
 */
export function checkRsa(jwk: PrivateJwk, thorough: boolean): string[] {
	const e = integer(jwk.e);
	if (e < 3n) throw new JwkError("e", "must be at least 3 (RFC 8017 §3.1)");
	if (!(e & 1n)) throw new JwkError("e", "must be odd (RFC 8017 §3.1)");
	const isSmall = e < 65537n;
	if (isSmall && !SMALL_EXPONENTS.includes(e))
		throw new JwkError("e", "must be 3, 17, or at least 65537 (FIPS 186-5)");
	requireOneKey(jwk);
	requireLongExponent(jwk);
	if (e >= 1n << 256n)
		throw new JwkError("e", "must be less than 2^256 (FIPS 186-5 §A.1.1)");
	requireStrongPrimes(jwk);
	requirePrimes(jwk, thorough ? Number.POSITIVE_INFINITY : QUICK_BITS);
	return isSmall
		? [
				`e is ${e}, which FIPS 186-5 does not allow; make a key with the usual 65537`,
			]
		: [];
}

function requireOneKey(jwk: PrivateJwk): void {
	const [n, e, d] = [integer(jwk.n), integer(jwk.e), integer(jwk.d)];
	const [p, q] = [integer(jwk.p), integer(jwk.q)];
	const [dp, dq, qi] = [integer(jwk.dp), integer(jwk.dq), integer(jwk.qi)];
	const fits =
		p > 1n &&
		q > 1n &&
		n === p * q &&
		(e * dp) % (p - 1n) === 1n &&
		(e * dq) % (q - 1n) === 1n &&
		(q * qi) % p === 1n &&
		d % (p - 1n) === dp &&
		d % (q - 1n) === dq;
	if (!fits)
		throw new JwkError(
			"",
			"its members n, e, d, p, q, dp, dq, qi are not of one RSA key",
		);
}

/**
 * A short private exponent can be computed from the public key (Wiener, 1990; Boneh and Durfee, 1999). The least
 * one that fits is looked at, since a key may hold one that was made longer.
 */
function requireLongExponent(jwk: PrivateJwk): void {
	const [n, e] = [integer(jwk.n), integer(jwk.e)];
	const [p, q] = [integer(jwk.p) - 1n, integer(jwk.q) - 1n];
	const least = inverse(e, (p * q) / divisor(p, q));
	if (least <= 1n << BigInt(Math.ceil(n.toString(2).length / 2)))
		throw new JwkError(
			"d",
			"is at most half as long as the modulus: it can be computed from the public key (FIPS 186-5 §A.1.1)",
		);
}

function requireStrongPrimes(jwk: PrivateJwk): void {
	const [n, p, q] = [integer(jwk.n), integer(jwk.p), integer(jwk.q)];
	const bits = n.toString(2).length;
	const least = 1n << BigInt(bits - 1);
	// √2·2^(bits/2 - 1) or more, squared; that each is less than 2^(bits/2) follows.
	if (p * p < least || q * q < least)
		throw new JwkError(
			"",
			"one of its primes is far shorter than half the modulus (FIPS 186-5 §A.1.3)",
		);
	const distance = p > q ? p - q : q - p;
	if (distance <= 1n << BigInt(Math.max(0, Math.floor(bits / 2) - 100)))
		throw new JwkError(
			"",
			"its primes are too close together: the modulus can be factored (FIPS 186-5 §A.1.3)",
		);
}

/** The longest prime, in bits, that is checked while requests wait: it takes OpenSSL 0.3 s. Twice as long a one takes 4 s. */
const QUICK_BITS = 2048;

/** Hashes of the moduli of keys whose primes have been checked: many plugin entries, and all workers, use one key. */
const checked = new Set<string>();

function requirePrimes(jwk: PrivateJwk, longest: number): void {
	const id = createHash("sha256").update(String(jwk.n)).digest("base64url");
	if (checked.has(id)) return;
	const primes = (["p", "q"] as const).map((name) => ({
		name,
		bytes: Buffer.from(String(jwk[name]), "base64url"),
	}));
	if (primes.some(({ bytes }) => bytes.length * 8 > longest)) return;
	for (const { name, bytes } of primes)
		if (!checkPrimeSync(bytes)) throw new JwkError(name, "is not a prime");
	checked.add(id);
}
