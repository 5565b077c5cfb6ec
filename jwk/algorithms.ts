import { JwkError } from "./error";

/** Key types (RFC 7518 §6.1, RFC 8037 §2). */
export type Kty = "RSA" | "EC" | "OKP" | "oct";

/** A JWS algorithm (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2). */
export interface Algorithm {
	kty: Kty;
	crv?: string;
	/** Hash by node:crypto's name; null where the algorithm has its own (EdDSA). */
	hash: string | null;
	/** Length of the hash in bytes, the least an HMAC key may have (RFC 7518 §3.2). */
	hashBytes?: number;
	/** Probabilistic padding instead of PKCS #1 v1.5 (RFC 7518 §3.5). */
	isPss?: boolean;
	/** Signs in some 20 µs: for so little the way to the thread pool is not worth it (bench/README.md). */
	isQuick?: boolean;
}

/** What each algorithm takes, in the order in which a key without `alg` gets its default. */
export const ALGORITHMS = {
	RS256: { kty: "RSA", hash: "sha256" },
	RS384: { kty: "RSA", hash: "sha384" },
	RS512: { kty: "RSA", hash: "sha512" },
	PS256: { kty: "RSA", hash: "sha256", isPss: true },
	PS384: { kty: "RSA", hash: "sha384", isPss: true },
	PS512: { kty: "RSA", hash: "sha512", isPss: true },
	ES256: { kty: "EC", crv: "P-256", hash: "sha256", isQuick: true },
	ES384: { kty: "EC", crv: "P-384", hash: "sha384" },
	ES512: { kty: "EC", crv: "P-521", hash: "sha512" },
	// Two names of one algorithm: what says EdDSA is not verified as Ed25519, nor the other way round.
	EdDSA: { kty: "OKP", crv: "Ed25519", hash: null, isQuick: true },
	Ed25519: { kty: "OKP", crv: "Ed25519", hash: null, isQuick: true },
	HS256: { kty: "oct", hash: "sha256", hashBytes: 32 },
	HS384: { kty: "oct", hash: "sha384", hashBytes: 48 },
	HS512: { kty: "oct", hash: "sha512", hashBytes: 64 },
} as const satisfies Record<string, Algorithm>;

/** A JWS algorithm's name. */
export type AlgorithmName = keyof typeof ALGORITHMS;

const names = Object.keys(ALGORITHMS) as AlgorithmName[];

/** Algorithms with a key pair, and so with something to publish. */
export const PUBLIC_KEY_ALGORITHMS: string[] = names.filter(
	(name) => ALGORITHMS[name].kty !== "oct",
);

/** The least an RSA key may have (RFC 7518 §3.3). */
export const RSA_BITS = 2048;

/**
 * Algorithms a key can be used with; the first is the default of one without `alg`.
 *
 * @param key its type and, if that has curves, its curve
 */
export function algorithmsOf(key: {
	kty?: string;
	crv?: string;
}): AlgorithmName[] {
	return names.filter((name) => {
		const { kty, crv }: Algorithm = ALGORITHMS[name];
		return kty === key.kty && (!crv || crv === key.crv);
	});
}

/**
 * The algorithm of a key's tokens.
 *
 * @param key its type, its curve if that has curves, and its own `alg`
 * @param algorithm to sign with instead
 * @throws {JwkError} when the key cannot be used with it
 */
export function signingAlgorithm(
	key: { kty?: string; crv?: string; alg?: string },
	algorithm?: string,
): AlgorithmName {
	const fitting = algorithmsOf(key);
	const wanted = algorithm ?? key.alg ?? fitting[0];
	const alg = fitting.find((name) => name === wanted);
	if (alg) return alg;
	throw new JwkError(
		"",
		`does not fit the key, which can sign with ${fitting.join(", ")}`,
		{ option: "alg" },
	);
}
