import { JwkError } from "../../jwk/error";
import { CRT_MEMBERS } from "../../jwk/members";
import { base64url, divisor, integer, inverse } from "../../jwk/rsa";

/**
 * Completes an RSA key that has only `n`, `e` and `d`, which is legal (RFC 7518 §6.3.2) but not enough for OpenSSL.
 * The primes are found as in NIST SP 800-56B rev. 2, appendix C.1.
 *
 * @param jwk as parsed
 * @returns the JWK as it is when it has any of the other members, or lacks one of these
 * @throws {JwkError} when the three are not of one key
 */
export function completeRsa(jwk: unknown): unknown {
	if (typeof jwk !== "object" || jwk === null) return jwk;
	const members = jwk as Record<string, unknown>;
	const isShort =
		members.kty === "RSA" &&
		["n", "e", "d"].every((name) => typeof members[name] === "string") &&
		CRT_MEMBERS.every((name) => (members[name] ?? null) === null);
	if (!isShort) return jwk;
	const [n, e, d] = [members.n, members.e, members.d].map(integer) as [
		bigint,
		bigint,
		bigint,
	];
	// A longer one would take minutes.
	if (n.toString(2).length > 8192 || d > n || e > n)
		throw new JwkError("n", "must have at most 8192 bits, and e and d be less");
	const factor = factorOf(n, e * d - 1n);
	if (factor === undefined)
		throw new JwkError("", "its members n, e, d are not of one RSA key");
	const other = n / factor;
	const [p, q] = factor > other ? [factor, other] : [other, factor];
	return {
		...members,
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

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
	let result = 1n;
	let square = base % modulus;
	for (let rest = exponent; rest > 0n; rest >>= 1n) {
		if (rest & 1n) result = (result * square) % modulus;
		square = (square * square) % modulus;
	}
	return result;
}
