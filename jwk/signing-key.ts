import {
	constants,
	createHash,
	createHmac,
	createPrivateKey,
	createPublicKey,
	createSecretKey,
	type JsonWebKey,
	sign,
	verify,
} from "node:crypto";
import { promisify } from "node:util";
import {
	ALGORITHMS,
	type Algorithm,
	type AlgorithmName,
	RSA_BITS,
	signingAlgorithm,
} from "./algorithms";
import { canonical, formFault } from "./canonical";
import { certificateChain } from "./certificates";
import { jwsSignature } from "./ecdsa";
import { JwkError } from "./error";
import { interopWarnings } from "./interop";
import { checkPrivateMembers, type PrivateJwk } from "./members";
import { parseJson } from "./parse";
import { checkRsa } from "./rsa";
import { selectKey } from "./select-key";
import { isTestKey } from "./test-keys";

/** A prepared key: everything about signing that does not depend on what is signed. */
export interface SigningKey {
	/** JWS algorithm, the header parameter `alg` (RFC 7518 §3.1, RFC 8037 §3.1). */
	alg: string;
	/** Key ID, the header parameter `kid`; absent when the JWK has none. */
	kid: string | undefined;
	/** Header parameters of its X.509 certificates, where they are wanted. */
	certificates: CertificateParameters | undefined;
	/** What is allowed in the key, but better otherwise. */
	warnings: string[];
	/** What of it libraries of backends choke on, see interop.ts. */
	interop: string[];
	/** Whether it is one of `test-keys/`, with which everybody can sign. */
	isTestKey: boolean;
	/**
	 * Computes the JWS signature (RFC 7515 §5.1).
	 * @param signingInput `BASE64URL(header).BASE64URL(payload)`
	 * @returns the signature's bytes
	 */
	sign(signingInput: string): Promise<Buffer>;
}

const PSS = {
	padding: constants.RSA_PKCS1_PSS_PADDING,
	saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
};
// As JWS has it (RFC 7518 §3.4); other keys ignore it.
const RS = { dsaEncoding: "ieee-p1363" } as const;

interface CertificateParameters {
	/** The chain, DER in base64, the key's own certificate first (RFC 7515 §4.1.6). */
	x5c: string[];
	/** SHA-256 of the key's own certificate, base64url (RFC 7515 §4.1.8). */
	"x5t#S256": string;
}

/** How a private key is used. */
export interface SigningOptions {
	/** `kid` of the key in a JWK Set that signs; its first key by default. */
	select?: string;
	/** Key ID of tokens, in place of the key's own. */
	kid?: string;
	/** Algorithm of tokens, in place of the key's own. */
	alg?: AlgorithmName;
	/** Whether `k` of a symmetric key is the secret itself, and not its bytes in base64url. */
	secretIsText?: boolean;
	/** Whether tokens have the key's certificates in their header. */
	withCertificates?: boolean;
	/** Whether what takes seconds to check is checked too. */
	thorough?: boolean;
}

/**
 * The private JWK that signs, in canonical form.
 *
 * @param text see `importSigningKey`
 * @throws {JwkError} naming the member at fault, never its value
 */
export function signingJwk(
	text: string,
	options: SigningOptions = {},
): { jwk: PrivateJwk; kid: string | undefined } {
	const { jwk, kid } = readSigningJwk(text, options);
	return { jwk, kid };
}

function readSigningJwk(
	text: string,
	{ select, kid, alg, secretIsText = false }: SigningOptions,
) {
	const form = canonical(selectKey(parseJson(text), select));
	const { alg: ownAlg, kid: ownKid, ...members } = form.jwk;
	// What the options replace need not be usable.
	const jwk = checkPrivateMembers({
		...(secretIsText ? withEncodedText(members) : members),
		...(alg === undefined && ownAlg !== undefined && { alg: ownAlg }),
		...(kid === undefined && ownKid !== undefined && { kid: ownKid }),
	});
	return { form, jwk, kid: kid ?? jwk.kid };
}

/**
 * Imports a private JWK: validated, converted to PEM, loaded, and tried once, so that what cannot sign a
 * verifiable token is rejected at once. Of its private members nothing is kept but OpenSSL's key.
 *
 * @param text a private JWK as JSON (RFC 7517): RSA, EC, OKP (Ed25519) or oct; or a JWK Set, of which
 * only the key that signs is looked at
 * @throws {JwkError} naming the member at fault, never its value
 * @example importSigningKey('{"kty":"OKP","crv":"Ed25519","x":"…","d":"…","kid":"kong"}')
 */
export function importSigningKey(
	text: string,
	options: SigningOptions = {},
): SigningKey {
	const { form, jwk, kid } = readSigningJwk(text, options);
	const { withCertificates = false, thorough = false } = options;
	const alg = signingAlgorithm(jwk, options.alg);
	const formWarnings = form.changed.length
		? [`${formFault(form)}; the canonical form is used`]
		: [];
	const keyWarnings = jwk.kty === "RSA" ? checkRsa(jwk, thorough) : [];
	const signature =
		jwk.kty === "oct"
			? hmac(jwk, ALGORITHMS[alg])
			: digitalSignature(jwk, ALGORITHMS[alg]);
	return {
		alg,
		kid,
		certificates: withCertificates ? certificateParameters(jwk) : undefined,
		warnings: [...formWarnings, ...keyWarnings],
		interop: interopWarnings({ ...jwk, kid }),
		isTestKey: isTestKey({ ...form.jwk, kty: jwk.kty }),
		sign: signature,
	};
}

/** An HMAC key whose `k` is the key itself, as RFC 7518 §6.4.1 writes it; any other is left as it is. */
function withEncodedText(
	jwk: Record<string, unknown>,
): Record<string, unknown> {
	const { kty, k } = jwk;
	return kty === "oct" && typeof k === "string"
		? { ...jwk, k: Buffer.from(k).toString("base64url") }
		: jwk;
}

/**
 * Converts a private JWK to PEM.
 *
 * @param jwk an asymmetric private JWK (RFC 7517)
 * @returns PKCS #8 PEM, `-----BEGIN PRIVATE KEY-----`
 * @throws whatever OpenSSL says of members that form no key
 */
export function privateJwkToPem(jwk: JsonWebKey): string {
	return createPrivateKey({ key: jwk, format: "jwk" })
		.export({ type: "pkcs8", format: "pem" })
		.toString();
}

/**
 * @throws {JwkError} when there are no certificates, or the first is not of this key, as RFC 7517
 * §4.7 demands
 */
function certificateParameters(jwk: PrivateJwk): CertificateParameters {
	const { x5c } = jwk;
	if (!x5c)
		throw new JwkError(
			"x5c",
			"is missing, and tokens are to have it in their header",
		);
	const [own] = certificateChain(x5c, createPublicKey(toPem(jwk)));
	const thumbprint = createHash("sha256").update(own.raw).digest("base64url");
	if (jwk["x5t#S256"] && jwk["x5t#S256"] !== thumbprint)
		throw new JwkError("x5t#S256", `is not the thumbprint of x5c/0`);
	return { x5c, "x5t#S256": thumbprint };
}

// On this thread: hashing a token takes less of it than handing the hash to the pool would.
function hmac(jwk: PrivateJwk, { hash, hashBytes = 0 }: Algorithm) {
	const key = createSecretKey(Buffer.from(jwk.k ?? "", "base64url"));
	if ((key.symmetricKeySize ?? 0) < hashBytes)
		throw new JwkError(
			"k",
			`must have at least ${hashBytes} bytes (RFC 7518 §3.2)`,
		);
	const bytes = key.export();
	if (bytes.every((byte) => byte === bytes[0]))
		throw new JwkError("k", "is one byte repeated, which anybody may guess");
	return async (signingInput: string) =>
		createHmac(hash ?? "", key)
			.update(signingInput)
			.digest();
}

// node:crypto signs on libuv's thread pool when it gets a callback.
const signOnPool = promisify(sign);

function digitalSignature(
	jwk: PrivateJwk,
	{ hash, isPss, isQuick }: Algorithm,
) {
	const key = createPrivateKey(toPem(jwk));
	if ((key.asymmetricKeyDetails?.modulusLength ?? RSA_BITS) < RSA_BITS)
		throw new JwkError(
			"n",
			`must have at least ${RSA_BITS} bits (RFC 7518 §3.3)`,
		);
	const { kty, crv, n, e, x = "", y } = jwk;
	// Without options the key by itself: in an object it takes longer from Node.js 24 on (bench/README.md).
	const input = isPss ? { key, ...PSS } : key;
	const size = Buffer.byteLength(x, "base64url");
	const encode = (signature: Buffer) =>
		kty === "EC" ? jwsSignature(signature, size) : signature;
	if (!verifies({ kty, crv, n, e, x, y }))
		throw new JwkError(
			"",
			`its public and its private members are not of one key`,
		);
	return isQuick
		? async (text: string) => encode(sign(hash, Buffer.from(text), input))
		: async (text: string) =>
				encode(await signOnPool(hash, Buffer.from(text), input));

	function verifies(publicJwk: JsonWebKey): boolean {
		try {
			const probe = Buffer.from("probe");
			const signature = encode(sign(hash, probe, input));
			const publicKey = createPublicKey({ key: publicJwk, format: "jwk" });
			const options = { key: publicKey, ...(isPss ? PSS : RS) };
			return verify(hash, probe, options, signature);
		} catch {
			return false;
		}
	}
}

function toPem(jwk: PrivateJwk): string {
	try {
		return privateJwkToPem(jwk);
	} catch {
		throw new JwkError("", `its members form no ${jwk.kty} key`);
	}
}
