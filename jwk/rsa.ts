import { createHash, randomBytes } from "node:crypto";
import { LRUCache } from "lru-cache";
import { JwkError } from "./error";
import type { PrivateJwk } from "./members";

const CRT_MEMBERS = ["p", "q", "dp", "dq", "qi"] as const;

/** Usual public exponents below 65537, which FIPS 186-5 §A.1.1 does not allow. */
const SMALL_EXPONENTS = [3n, 17n];

function integer(text: unknown): bigint {
	return BigInt(
		`0x0${Buffer.from(String(text ?? ""), "base64url").toString("hex")}`,
	);
}

function base64url(value: bigint): string {
	const hex = value.toString(16);
	return Buffer.from(
		hex.padStart(hex.length + (hex.length % 2), "0"),
		"hex",
	).toString("base64url");
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
	let result = 1n;
	let square = base % modulus;
	for (let rest = exponent; rest > 0n; rest >>= 1n) {
		if (rest & 1n) result = (result * square) % modulus;
		square = (square * square) % modulus;
	}
	return result;
}

/** @returns the inverse of `value`, which has no divisor in common with the modulus */
function inverse(value: bigint, modulus: bigint): bigint {
	let [r, next] = [modulus, value % modulus];
	let [t, nextT] = [0n, 1n];
	while (next !== 0n) {
		const quotient = r / next;
		[r, next] = [next, r - quotient * next];
		[t, nextT] = [nextT, t - quotient * nextT];
	}
	return ((t % modulus) + modulus) % modulus;
}

function divisor(a: bigint, b: bigint): bigint {
	let [x, y] = [a, b];
	while (y !== 0n) [x, y] = [y, x % y];
	return x;
}

/**
 * Completes an RSA key that has only `n`, `e` and `d`, which is legal (RFC 7518 §6.3.2), and which OpenSSL
 * does not take: the primes are found as NIST SP 800-56B rev. 2, appendix C.1 says.
 *
 * @returns the JWK as it is when it has any of the other members, or lacks one of these
 * @throws {JwkError} when the three are not of one key
 */
export function completeRsa(
	jwk: Record<string, unknown>,
): Record<string, unknown> {
	const isShort =
		jwk.kty === "RSA" &&
		["n", "e", "d"].every((member) => typeof jwk[member] === "string") &&
		CRT_MEMBERS.every((member) => jwk[member] === undefined);
	if (!isShort) return jwk;
	const [n, e, d] = [integer(jwk.n), integer(jwk.e), integer(jwk.d)];
	// Longer ones would keep the plugin server busy for minutes.
	if (n.toString(2).length > 8192 || d > n || e > n)
		throw new JwkError("n", "must have at most 8192 bits, and e and d be less");
	const factor = factorOf(n, e * d - 1n);
	if (factor === undefined)
		throw new JwkError("", "its members n, e, d are not of one RSA key");
	const [q, p] = [factor, n / factor].sort((a, b) => (a < b ? -1 : 1)) as [
		bigint,
		bigint,
	];
	return {
		...jwk,
		p: base64url(p),
		q: base64url(q),
		dp: base64url(d % (p - 1n)),
		dq: base64url(d % (q - 1n)),
		qi: base64url(inverse(q, p)),
	};
}

/** @param multiple of the order of every number modulo n, if the members are of one key */
function factorOf(n: bigint, multiple: bigint): bigint | undefined {
	if (n < 6n || multiple <= 0n || multiple & 1n) return undefined;
	let odd = multiple;
	while (!(odd & 1n)) odd >>= 1n;
	for (const base of [2n, 3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n, 29n]) {
		let root = power(base, odd, n);
		for (let rest = odd; rest < multiple; rest <<= 1n) {
			const square = (root * root) % n;
			if (square === 1n && root !== 1n && root !== n - 1n)
				return divisor(root - 1n, n);
			root = square;
		}
	}
	return undefined;
}

/**
 * OpenSSL signs with an RSA key some of whose members are of another key, only several times slower,
 * so that nobody would notice (RFC 8017 §3.2 says how they belong together); and with weak ones
 * (FIPS 186-5 §A.1.1, §A.1.3).
 *
 * @returns what is allowed but not recommended
 * @throws {JwkError} with the reason
 */
export function checkRsa(jwk: PrivateJwk): string[] {
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
	for (const [name, prime] of [
		["p", p],
		["q", q],
	] as const)
		if (!isPrime(prime)) throw new JwkError(name, "is no prime");
}

/** Hashes of numbers that have been found to be primes. */
const primes = new LRUCache<string, true>({ max: 1000 });

/** Many plugin entries, and all workers, start instances with the same key. */
function isPrime(candidate: bigint): boolean {
	const id = createHash("sha256")
		.update(candidate.toString(16))
		.digest("base64url");
	if (primes.has(id)) return true;
	if (!passesMillerRabin(candidate)) return false;
	primes.set(id, true);
	return true;
}

/**
 * One round of the Miller-Rabin test (FIPS 186-5 §B.3.1): 8 ms for a number of 1024 bits, during which no request is
 * answered. OpenSSL's 64 rounds and more are against numbers that somebody chose to deceive, who knows the private key
 * anyway; of others with 1024 bits less than one in 2^40 passes (Damgård, Landrock, Pomerance, 1993).
 */
function passesMillerRabin(candidate: bigint): boolean {
	const minusOne = candidate - 1n;
	let odd = minusOne;
	while (!(odd & 1n)) odd >>= 1n;
	// From 2 on, and less than candidates are.
	const base = 2n + BigInt(`0x${randomBytes(16).toString("hex")}`);
	let value = power(base, odd, candidate);
	if (value === 1n) return true;
	for (let rest = odd; rest < minusOne; rest <<= 1n) {
		if (value === minusOne) return true;
		value = (value * value) % candidate;
	}
	return false;
}
