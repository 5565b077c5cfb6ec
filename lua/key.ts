/** The key that signs, loaded from its JWK by Kong's own OpenSSL. */
import * as base64 from "ngx.base64";
import * as hmac from "resty.openssl.hmac";
import * as pkey from "resty.openssl.pkey";
import type { KeyInfo } from "../core/platform";
import { misconfigured, type Refusal } from "../core/refusals";
import { given, hasMembers, type Members, text } from "../core/values";
import type { ConfigFields } from "../schema/fields";
import { luaPlatform } from "./platform";

/** A key, ready to sign. */
export interface Key {
	info: KeyInfo;
	/** @returns the JWS signature (RFC 7515 §5.1) in base64url. @throws anything when it cannot */
	sign: (signingInput: string) => string;
}

/** What a JWS algorithm takes (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2). */
interface Algorithm {
	name: string;
	kty: "RSA" | "EC" | "OKP" | "oct";
	crv?: string;
	hash?: string;
	/** Length of the hash in bytes, the least an HMAC key may have (RFC 7518 §3.2). */
	hashBytes?: number;
	isPss?: boolean;
}

/** In the order in which a key without `alg` gets its default. */
const ALGORITHMS: Algorithm[] = [
	{ name: "RS256", kty: "RSA", hash: "sha256" },
	{ name: "RS384", kty: "RSA", hash: "sha384" },
	{ name: "RS512", kty: "RSA", hash: "sha512" },
	{ name: "PS256", kty: "RSA", hash: "sha256", isPss: true },
	{ name: "PS384", kty: "RSA", hash: "sha384", isPss: true },
	{ name: "PS512", kty: "RSA", hash: "sha512", isPss: true },
	{ name: "ES256", kty: "EC", crv: "P-256", hash: "sha256" },
	{ name: "ES384", kty: "EC", crv: "P-384", hash: "sha384" },
	{ name: "ES512", kty: "EC", crv: "P-521", hash: "sha512" },
	{ name: "EdDSA", kty: "OKP", crv: "Ed25519" },
	{ name: "Ed25519", kty: "OKP", crv: "Ed25519" },
	{ name: "HS256", kty: "oct", hash: "sha256", hashBytes: 32 },
	{ name: "HS384", kty: "oct", hash: "sha384", hashBytes: 48 },
	{ name: "HS512", kty: "oct", hash: "sha512", hashBytes: 64 },
];

/** Members that must be texts in base64url, by `kty` (RFC 7518 §6, RFC 8037 §2). */
const MEMBERS: Record<string, string[] | undefined> = {
	RSA: ["n", "e", "d", "p", "q", "dp", "dq", "qi"],
	EC: ["x", "y", "d"],
	OKP: ["x", "d"],
	oct: ["k"],
};

/** Curves by `kty`, in the order of messages. */
const CURVES: Record<string, string[] | undefined> = {
	EC: ["P-256", "P-384", "P-521"],
	OKP: ["Ed25519"],
};

/** The least an RSA key may have, in bytes (RFC 7518 §3.3). */
const RSA_BYTES = 256;

function fault(member: string, what: string): Refusal {
	return misconfigured(
		member === "" ? `private_jwk: ${what}` : `private_jwk/${member} ${what}`,
	);
}

/**
 * Loads the key that signs, and tries it once.
 *
 * @throws {Refusal} naming the field, and the member of the key, that is at fault
 */
export function loadKey(fields: ConfigFields): Key {
	const jwk = selectKey(parse(fields.private_jwk), fields.active_kid);
	requireMembers(jwk, fields.hmac_key_is_text === true);
	const algorithm = algorithmOf(jwk, fields.algorithm);
	const info: KeyInfo = {
		alg: algorithm.name,
		kid: fields.key_id ?? text(jwk.kid),
		certificates: fields.include_x5c ? certificatesOf(jwk) : undefined,
		warnings: [],
		interop: [],
		isTestKey: false,
	};
	const sign =
		algorithm.kty === "oct"
			? hmacSigner(jwk, algorithm, fields.hmac_key_is_text === true)
			: signer(jwk, algorithm);
	return { info, sign };
}

function parse(json: string): unknown {
	if (json === "")
		throw fault(
			"",
			"empty; Kong sends an empty text for a vault reference it cannot resolve",
		);
	if (json.startsWith("{vault://"))
		throw fault("", "a vault reference that Kong did not resolve");
	try {
		return luaPlatform.decodeJson(json);
	} catch {
		throw fault("", "not JSON; a JWK or a JWK Set (RFC 7517) is expected");
	}
}

/** The key that signs: of a JWK Set (RFC 7517 §5) the one with the active kid, by default the first. */
function selectKey(json: unknown, activeKid: string | undefined): Members {
	const set = hasMembers(json) ? given(json.keys) : undefined;
	if (set !== undefined && !Array.isArray(set))
		throw fault("keys", "must be a list (RFC 7517 §5)");
	const keys: unknown[] = set === undefined ? [json] : set;
	if (keys.length === 0) throw fault("keys", "must not be empty");
	const active =
		activeKid === undefined
			? [keys[0]]
			: keys.filter((key) => hasMembers(key) && key.kid === activeKid);
	if (active.length !== 1)
		throw misconfigured(
			`config/active_kid: ${active.length === 0 ? "no key" : "more than one key"} of the JWK Set has this kid`,
			"active_kid",
		);
	const [key] = active;
	if (!hasMembers(key)) throw fault("", "must be object");
	const own: Members = {};
	for (const [name, value] of Object.entries(key))
		if (given(value) !== undefined) own[name] = value;
	return own;
}

function requireMembers(jwk: Members, isText: boolean): void {
	const { kty, crv, kid, use, key_ops } = jwk;
	if (kty === undefined) throw fault("kty", "is missing");
	const members = typeof kty === "string" ? MEMBERS[kty] : undefined;
	if (!members) throw fault("kty", "must be one of RSA, EC, OKP, oct");
	const curves = typeof kty === "string" ? CURVES[kty] : undefined;
	if (curves && crv === undefined) throw fault("crv", "is missing");
	if (curves && !(typeof crv === "string" && curves.includes(crv)))
		throw fault("crv", `must be one of ${curves.join(", ")}`);
	for (const name of members) requireBase64url(jwk, name, isText);
	if (kid !== undefined && text(kid) === undefined)
		throw fault("kid", "must be a text that is not empty");
	if (use !== undefined && use !== "sig" && use !== "jwt-svid")
		throw fault("use", "must be sig or jwt-svid");
	if (jwk.oth !== undefined) throw fault("oth", "is not supported");
	if (key_ops !== undefined && !Array.isArray(key_ops))
		throw fault("key_ops", "must be array");
	if (Array.isArray(key_ops) && key_ops.length > 0)
		if (!key_ops.includes("sign")) throw fault("key_ops", "must contain sign");
}

function requireBase64url(jwk: Members, name: string, isText: boolean): void {
	const value = jwk[name];
	if (value === undefined) throw fault(name, "is missing");
	if (typeof value !== "string") throw fault(name, "must be string");
	const isSound =
		(name === "k" && isText) ||
		(string.find(value, "^[A-Za-z0-9_-]+$") !== undefined &&
			value.length % 4 !== 1);
	if (!isSound)
		throw fault(
			name,
			`must be in the URL-safe alphabet of RFC 4648 §5, without padding${name === "k" ? "; a key that is its text needs hmac_key_is_text" : ""}`,
		);
}

/** What the key says of itself, unless the configuration says something else. */
function algorithmOf(jwk: Members, wanted: string | undefined): Algorithm {
	const fitting = ALGORITHMS.filter(
		({ kty, crv }) => kty === jwk.kty && (!crv || crv === jwk.crv),
	);
	const own = wanted === undefined ? jwk.alg : undefined;
	const ofType = ALGORITHMS.filter(({ kty }) => kty === jwk.kty);
	if (own !== undefined && !ofType.some(({ name }) => name === own))
		throw fault(
			"alg",
			`must be one of ${ofType.map(({ name }) => name).join(", ")}`,
		);
	if (own !== undefined && !fitting.some(({ name }) => name === own))
		throw fault("alg", "does not fit crv");
	const name = wanted ?? own ?? fitting[0]?.name;
	const algorithm = fitting.find((one) => one.name === name);
	if (algorithm) return algorithm;
	throw misconfigured(
		`config/algorithm: does not fit the key, which can sign with ${fitting.map((one) => one.name).join(", ")}`,
		"algorithm",
	);
}

function certificatesOf(jwk: Members): KeyInfo["certificates"] {
	const { x5c } = jwk;
	if (!Array.isArray(x5c) || x5c.length === 0)
		throw fault("x5c", "is missing, which include_x5c puts into the header");
	const thumbprint = luaPlatform.readCertificate(
		`-----BEGIN CERTIFICATE-----\n${x5c[0]}\n-----END CERTIFICATE-----\n`,
	)?.fingerprint;
	if (thumbprint === undefined)
		throw fault("x5c/0", "is no certificate in base64 (RFC 7517 §4.7)");
	const own = jwk["x5t#S256"];
	if (own !== undefined && own !== thumbprint)
		throw fault("x5t#S256", "is not the thumbprint of x5c/0");
	return { x5c, "x5t#S256": thumbprint };
}

function hmacSigner(
	jwk: Members,
	{ hash = "", hashBytes = 0 }: Algorithm,
	isText: boolean,
): Key["sign"] {
	const k = text(jwk.k) ?? "";
	const key = isText ? k : (base64.decode_base64url(k) ?? "");
	if (key.length < hashBytes)
		throw fault("k", `must have at least ${hashBytes} bytes (RFC 7518 §3.2)`);
	if (key === key.slice(0, 1).repeat(key.length))
		throw fault("k", "is one byte repeated, which anybody may guess");
	return (signingInput) => {
		const [mac] = hmac.new(key, hash);
		if (!mac) throw "HMAC failed";
		const [signature] = mac.final(signingInput);
		if (signature === undefined) throw "HMAC failed";
		return base64.encode_base64url(signature);
	};
}

/** RSA_PKCS1_PSS_PADDING of OpenSSL. */
const PSS = 6;

function signer(jwk: Members, algorithm: Algorithm): Key["sign"] {
	const { kty, hash, isPss } = algorithm;
	const n = base64.decode_base64url(text(jwk.n) ?? "") ?? "";
	const [significant] = string.gsub(n, "^%z+", "");
	if (kty === "RSA" && significant.length < RSA_BYTES)
		throw fault("n", "must have at least 2048 bits (RFC 7518 §3.3)");
	const key = open(jwk, kty);
	const padding = isPss ? PSS : undefined;
	const options =
		kty === "EC"
			? { ecdsa_use_raw: true }
			: isPss
				? // As long as the hash (RFC 7518 §3.5).
					{ pss_saltlen: -1 }
				: undefined;
	const [isDone, isPair] = pcall(() => {
		const [signature] = key.sign("probe", hash, padding, options);
		const { crv, e, x, y } = jwk;
		const publicKey = open({ kty, crv, n: jwk.n, e, x, y }, kty);
		const [isValid] = publicKey.verify(
			signature ?? "",
			"probe",
			hash,
			padding,
			options,
		);
		return isValid;
	});
	if (!isDone || !isPair)
		throw fault("", "its public and its private members are not of one key");
	return (signingInput) => {
		const [signature] = key.sign(signingInput, hash, padding, options);
		if (signature === undefined) throw "signing failed";
		return base64.encode_base64url(signature);
	};
}

function open(jwk: Members, kty: string): pkey.Pkey {
	const [isOpen, key] = pcall(() => {
		const [opened] = pkey.new(luaPlatform.encodeJson(jwk), { format: "JWK" });
		return opened;
	});
	if (!isOpen || !key) throw fault("", `its members form no ${kty} key`);
	return key;
}
