import {
	constants,
	createHash,
	createHmac,
	createPrivateKey,
	createPublicKey,
	createSecretKey,
	type JsonWebKey,
	type SignKeyObjectInput,
	sign,
	verify,
	X509Certificate,
} from "node:crypto";
import { promisify } from "node:util";
import type { ConfigFields, ALGORITHMS as NAMES } from "../../schema/fields";
import { Misconfigured } from "./errors";
import { validator } from "./validator";

/** A prepared key: everything about signing that does not depend on what is signed. */
export interface SigningKey {
	/** JWS algorithm, the header parameter `alg` (RFC 7518 §3.1, RFC 8037 §3.1). */
	alg: string;
	/** Key ID, the header parameter `kid`; absent when the JWK has none. */
	kid: string | undefined;
	/** Header parameters of its X.509 certificates, where they are wanted. */
	certificates: CertificateParameters | undefined;
	/**
	 * Computes the JWS signature (RFC 7515 §5.1).
	 * @param signingInput `BASE64URL(header).BASE64URL(payload)`
	 * @returns the signature's bytes
	 */
	sign(signingInput: string): Promise<Buffer>;
}

interface CertificateParameters {
	/** The chain, DER in base64, the key's own certificate first (RFC 7515 §4.1.6). */
	x5c: string[];
	/** SHA-256 of the key's own certificate, base64url (RFC 7515 §4.1.8). */
	"x5t#S256": string;
}

type Kty = "RSA" | "EC" | "OKP" | "oct";

interface Algorithm {
	kty: Kty;
	crv?: string;
	/** Hash name for node:crypto; null where the algorithm has its own (EdDSA). */
	hash: string | null;
	/** Length of the hash in bytes, the least an HMAC key may have (RFC 7518 §3.2). */
	hashBytes?: number;
	/** Signs in some 20 µs: for so little the way to the thread pool is not worth it (bench/README.md). */
	isQuick?: boolean;
	/** Padding or signature encoding for node:crypto. */
	options?: Omit<SignKeyObjectInput, "key">;
}

const PSS = {
	padding: constants.RSA_PKCS1_PSS_PADDING,
	saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
};
// JWS wants R and S side by side (RFC 7518 §3.4), not OpenSSL's DER.
const RS = { dsaEncoding: "ieee-p1363" } as const;

const ALGORITHMS: Record<(typeof NAMES)[number], Algorithm> = {
	RS256: { kty: "RSA", hash: "sha256" },
	RS384: { kty: "RSA", hash: "sha384" },
	RS512: { kty: "RSA", hash: "sha512" },
	PS256: { kty: "RSA", hash: "sha256", options: PSS },
	PS384: { kty: "RSA", hash: "sha384", options: PSS },
	PS512: { kty: "RSA", hash: "sha512", options: PSS },
	ES256: {
		kty: "EC",
		crv: "P-256",
		hash: "sha256",
		isQuick: true,
		options: RS,
	},
	ES384: { kty: "EC", crv: "P-384", hash: "sha384", options: RS },
	ES512: { kty: "EC", crv: "P-521", hash: "sha512", options: RS },
	EdDSA: { kty: "OKP", crv: "Ed25519", hash: null, isQuick: true },
	HS256: { kty: "oct", hash: "sha256", hashBytes: 32 },
	HS384: { kty: "oct", hash: "sha384", hashBytes: 48 },
	HS512: { kty: "oct", hash: "sha512", hashBytes: 64 },
};

type AlgorithmName = keyof typeof ALGORITHMS;

const algorithmNames = Object.keys(ALGORITHMS) as AlgorithmName[];

interface PrivateJwk extends JsonWebKey {
	kty: Kty;
	alg?: AlgorithmName;
	kid?: string;
	key_ops?: string[];
	x5c?: string[];
	"x5t#S256"?: string;
}

const SUBJECT = "private_jwk";

const validateKty = validator<PrivateJwk>(
	{
		type: "object",
		properties: { kty: { enum: ["RSA", "EC", "OKP", "oct"] } },
		required: ["kty"],
	},
	SUBJECT,
);

const validateSet = validator<{ keys: unknown[] }>(
	{
		type: "object",
		properties: { keys: { type: "array", minItems: 1 } },
		required: ["keys"],
	},
	SUBJECT,
);

const validateJwk: Record<Kty, (data: unknown) => PrivateJwk> = {
	RSA: jwkValidator("RSA", ["n", "e", "d", "p", "q", "dp", "dq", "qi"]),
	EC: jwkValidator("EC", ["x", "y", "d"], ["P-256", "P-384", "P-521"]),
	OKP: jwkValidator("OKP", ["x", "d"], ["Ed25519"]),
	oct: jwkValidator("oct", ["k"]),
};

/**
 * Members of a private JWK of one key type (RFC 7518 §6). RSA needs its CRT members too, as
 * OpenSSL does; more than two primes (`oth`) are refused because node:crypto would ignore them.
 */
function jwkValidator(kty: Kty, members: string[], curves?: string[]) {
	const base64url = { type: "string", pattern: "^[A-Za-z0-9_-]+$" };
	const algorithms = algorithmNames.filter(
		(alg) => ALGORITHMS[alg].kty === kty,
	);
	return validator<PrivateJwk>(
		{
			type: "object",
			properties: {
				...Object.fromEntries(members.map((member) => [member, base64url])),
				...(curves && { crv: { enum: curves } }),
				alg: { enum: algorithms },
				kid: { type: "string", minLength: 1 },
				use: { const: "sig" },
				key_ops: { type: "array", items: { type: "string" } },
				oth: false,
				x5c: { type: "array", minItems: 1, items: { type: "string" } },
				"x5t#S256": base64url,
			},
			required: curves ? ["crv", ...members] : members,
		},
		SUBJECT,
	);
}

/**
 * Imports the private JWK of a configuration: validated, converted to PEM, loaded, and tried once,
 * so that what cannot sign a verifiable token is refused when an instance starts.
 *
 * @param text a private JWK as JSON text (RFC 7517): RSA, EC, OKP (Ed25519) or oct; or a JWK Set, of which
 * only the key that signs is looked at
 * @throws {Misconfigured} naming the member at fault, never its value
 * @example importSigningKey('{"kty":"OKP","crv":"Ed25519","x":"…","d":"…","kid":"kong"}')
 */
export function importSigningKey(
	text: string,
	{
		active_kid,
		key_id,
		algorithm,
		include_x5c,
	}: Partial<
		Pick<ConfigFields, "active_kid" | "key_id" | "algorithm" | "include_x5c">
	> = {},
): SigningKey {
	const json = activeJwk(parseJson(text), active_kid);
	const { kty } = validateKty(json);
	const jwk = validateJwk[kty](json);
	if (jwk.key_ops && !jwk.key_ops.includes("sign"))
		throw new Misconfigured(`${SUBJECT}/key_ops must contain sign`);
	const fitting = algorithmNames.filter((name) => fits(ALGORITHMS[name], jwk));
	const alg = algorithm ?? jwk.alg ?? fitting[0];
	if (!alg || !fitting.includes(alg))
		throw new Misconfigured(
			algorithm
				? `config/algorithm does not fit ${SUBJECT}, which can sign with ${fitting.join(", ")}`
				: `${SUBJECT}/alg does not fit ${SUBJECT}/crv`,
			algorithm && "algorithm",
		);
	return {
		alg,
		kid: key_id ?? jwk.kid,
		certificates: include_x5c ? certificateParameters(jwk) : undefined,
		sign:
			kty === "oct"
				? hmac(jwk, ALGORITHMS[alg])
				: digitalSignature(jwk, ALGORITHMS[alg]),
	};
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

/** Parses the text without V8's message, which quotes what it could not parse. */
function parseJson(text: string): unknown {
	if (text === "")
		throw new Misconfigured(
			`${SUBJECT} is empty; Kong sends an empty text for a vault reference it cannot resolve`,
		);
	let json: unknown;
	try {
		json = JSON.parse(text);
	} catch {
		throw new Misconfigured(
			text.startsWith("{vault://")
				? `${SUBJECT} is a vault reference that Kong did not resolve`
				: `${SUBJECT} is not JSON; a private JWK (RFC 7517) is expected, not PEM`,
		);
	}
	return json;
}

/** The key of a JWK Set (RFC 7517 §5) that signs; a single JWK is that key. */
function activeJwk(json: unknown, kid: string | undefined): unknown {
	const isSet =
		typeof json === "object" && json !== null && Object.hasOwn(json, "keys");
	const keys: unknown[] = isSet ? validateSet(json).keys : [json];
	if (kid === undefined) return keys[0];
	const active = keys.filter((key) => (key as PrivateJwk | null)?.kid === kid);
	if (active.length === 1) return active[0];
	throw new Misconfigured(
		`config/active_kid: ${active.length === 0 ? "no key" : "more than one key"} of ${SUBJECT} has this kid`,
		"active_kid",
	);
}

/** Whether an algorithm can be used with a key; the first that can is the default of a JWK without `alg`. */
function fits({ kty, crv }: Algorithm, jwk: PrivateJwk): boolean {
	return kty === jwk.kty && (!crv || crv === jwk.crv);
}

/**
 * @throws {Misconfigured} when there are no certificates, or the first is not of this key, as RFC 7517
 * §4.7 demands
 */
function certificateParameters(jwk: PrivateJwk): CertificateParameters {
	const { x5c } = jwk;
	if (!x5c)
		throw new Misconfigured(
			`${SUBJECT}/x5c is missing, which config/include_x5c puts into the header`,
		);
	const chain = x5c.map((certificate, index) => {
		const parsed = parseCertificate(Buffer.from(certificate, "base64"));
		if (parsed?.raw.toString("base64") !== certificate)
			throw new Misconfigured(
				`${SUBJECT}/x5c/${index} is no certificate: DER in base64 is expected`,
			);
		return parsed;
	});
	const [own] = chain;
	if (!own?.checkPrivateKey(createPrivateKey(toPem(jwk))))
		throw new Misconfigured(
			`${SUBJECT}/x5c/0 is not the certificate of this key`,
		);
	const thumbprint = createHash("sha256").update(own.raw).digest("base64url");
	if (jwk["x5t#S256"] && jwk["x5t#S256"] !== thumbprint)
		throw new Misconfigured(
			`${SUBJECT}/x5t#S256 is not the thumbprint of ${SUBJECT}/x5c/0`,
		);
	return { x5c, "x5t#S256": thumbprint };
}

function parseCertificate(der: Buffer): X509Certificate | undefined {
	try {
		return new X509Certificate(der);
	} catch {
		return undefined;
	}
}

// On this thread: hashing a token takes less of it than handing the hash to the pool would.
function hmac(jwk: PrivateJwk, { hash, hashBytes = 0 }: Algorithm) {
	const key = createSecretKey(Buffer.from(jwk.k ?? "", "base64url"));
	if ((key.symmetricKeySize ?? 0) < hashBytes)
		throw new Misconfigured(
			`${SUBJECT}/k must have at least ${hashBytes} bytes (RFC 7518 §3.2)`,
		);
	return async (signingInput: string) =>
		createHmac(hash ?? "", key)
			.update(signingInput)
			.digest();
}

// node:crypto signs on libuv's thread pool when it gets a callback.
const signOnPool = promisify(sign);

function digitalSignature(
	jwk: PrivateJwk,
	{ hash, options, isQuick }: Algorithm,
) {
	if (jwk.kty === "RSA") requireOneRsaKey(jwk);
	const key = createPrivateKey(toPem(jwk));
	if ((key.asymmetricKeyDetails?.modulusLength ?? 2048) < 2048)
		throw new Misconfigured(
			`${SUBJECT}/n must have at least 2048 bits (RFC 7518 §3.3)`,
		);
	const probe = Buffer.from("probe");
	const { kty, crv, n, e, x, y } = jwk;
	if (!verifies({ kty, crv, n, e, x, y }))
		throw new Misconfigured(
			`${SUBJECT}: its public and its private members are not of one key`,
		);
	const input = { key, ...options };
	return isQuick
		? async (text: string) => sign(hash, Buffer.from(text), input)
		: (text: string) => signOnPool(hash, Buffer.from(text), input);

	function verifies(publicJwk: JsonWebKey): boolean {
		try {
			const signature = sign(hash, probe, { key, ...options });
			const publicKey = createPublicKey({ key: publicJwk, format: "jwk" });
			return verify(hash, probe, { key: publicKey, ...options }, signature);
		} catch {
			return false;
		}
	}
}

/**
 * OpenSSL signs with an RSA key some of whose members are of another key, only several times slower,
 * so that nobody would notice (RFC 8017 §3.2 says how they belong together).
 */
function requireOneRsaKey(jwk: PrivateJwk): void {
	const [n, e, d, p, q, dp, dq, qi] = (
		["n", "e", "d", "p", "q", "dp", "dq", "qi"] as const
	).map((member) =>
		BigInt(`0x0${Buffer.from(jwk[member] ?? "", "base64url").toString("hex")}`),
	) as [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint];
	if (e < 3n)
		throw new Misconfigured(`${SUBJECT}/e must be at least 3 (RFC 8017 §3.1)`);
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
		throw new Misconfigured(
			`${SUBJECT}: its members n, e, d, p, q, dp, dq, qi are not of one RSA key`,
		);
}

function toPem(jwk: PrivateJwk): string {
	try {
		return privateJwkToPem(jwk);
	} catch {
		throw new Misconfigured(`${SUBJECT}: its members form no ${jwk.kty} key`);
	}
}
