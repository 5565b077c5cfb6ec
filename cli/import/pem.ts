/** PEM as it is found in the wild (RFC 7468 is what it should be). */
import {
	createPrivateKey,
	createPublicKey,
	type KeyExportOptions,
	type KeyObject,
	X509Certificate,
} from "node:crypto";
import type { JWK } from "jose";
import { JwkError } from "../../jwk/error";

/** A block of PEM. */
interface Block {
	label: string;
	der: Buffer;
}

/** What PEM without a usable key is, by the label of its block. */
const NAMES: [label: RegExp, name: string][] = [
	[/^ENCRYPTED /, "an encrypted PEM; decrypt it first: openssl pkey"],
	[
		/^OPENSSH PRIVATE KEY$/,
		"an OpenSSH private key; convert a copy of it first: ssh-keygen -p -m PKCS8 -f COPY",
	],
	[
		/^SSH2 |^---- BEGIN SSH2/,
		"an SSH public key; convert it: ssh-keygen -e -m PKCS8",
	],
	[/^PGP /, "an OpenPGP key, which signs no JWT"],
	[/^DSA /, "a DSA key, which no JWS algorithm takes"],
	[/CERTIFICATE REQUEST$/, "a certificate request; its key is another file"],
	[/^(PKCS7|CMS)$/, "PKCS #7, which has no private key"],
	[/ CRL$/, "a list of revoked certificates"],
	[/PARAMETERS$/, "parameters without a key"],
];

/** The text with real line ends: shells, environment files and JSON write them as `\\n`. */
function unescaped(text: string): string {
	return text.replace(/\\r/g, "").replace(/\\n/g, "\n");
}

/** Whether a text is PEM, perhaps with other text before it; JSON that holds some is not. */
export function isPem(text: string): boolean {
	return (
		!/^\uFEFF?\s*[[{]/.test(text) && /-----BEGIN [A-Z0-9 ]+-----/.test(text)
	);
}

/** @throws {JwkError} for a block that is cut off, damaged or encrypted */
function blocksOf(text: string): Block[] {
	const pem = unescaped(text);
	const found = [
		...pem.matchAll(
			/-----BEGIN ([A-Z0-9 ]+)-----([^-]*(?:-(?!----)[^-]*)*)(?:-----END \1-----)?/g,
		),
	];
	return found.map(([whole, label = "", body = ""]) => {
		if (/Proc-Type:.*ENCRYPTED/.test(body)) throw named("ENCRYPTED ");
		if (!whole.endsWith(`-----END ${label}-----`))
			throw new JwkError("", `PEM that is cut off: END ${label} is missing`);
		const base64 = body.replace(/[\s\\]/g, "");
		if (!/^[A-Za-z0-9+/]+=*$/.test(base64))
			throw new JwkError("", `PEM whose ${label} is not base64`);
		return { label, der: Buffer.from(base64, "base64") };
	});
}

function named(label: string): JwkError {
	const [, name] = NAMES.find(([pattern]) => pattern.test(label)) ?? [];
	return new JwkError("", name ?? `PEM of ${label}, which is not a key`);
}

/**
 * The keys of PEM: of its private key, else of its public keys, else of its certificates. The certificates of
 * a key become its `x5c`, whatever their order.
 *
 * @throws {JwkError} naming what the text is when it has no key that can be used
 */
export function keysOfPem(text: string): JWK[] {
	const blocks = blocksOf(text);
	const certificates = blocks
		.filter(({ label }) => /^(X509 |TRUSTED )?CERTIFICATE$/.test(label))
		.map(({ der }) => attempt(() => new X509Certificate(der)));
	const some = (pattern: RegExp) =>
		blocks.filter(({ label }) => pattern.test(label));
	const secret = some(/^(RSA |EC )?PRIVATE KEY$/);
	const open = some(/^(RSA )?PUBLIC KEY$/);
	const keys = secret.length
		? secret.map(({ label, der }) => attempt(() => privateKey(label, der)))
		: open.map(({ label, der }) => attempt(() => publicKey(label, der)));
	const odd = blocks.find(
		({ label }) => !/CERTIFICATE$|^EC PARAMETERS$|^DSA PARAMETERS$/.test(label),
	);
	if (!keys.length && (odd || !certificates.length))
		throw named(odd?.label ?? blocks[0]?.label ?? "");
	if (keys.length) return keys.map((key) => jwkOf(key, certificates));
	const issuers = new Set(
		certificates.flatMap((one) => chainOf(one, certificates).slice(1)),
	);
	return certificates
		.filter((one) => !issuers.has(one))
		.map((one) => jwkOf(one.publicKey, certificates));
}

function attempt<T>(read: () => T): T {
	try {
		return read();
	} catch (error) {
		if (error instanceof JwkError) throw error;
		throw new JwkError("", "PEM that holds no RSA, EC or Ed25519 key");
	}
}

function privateKey(label: string, der: Buffer): KeyObject {
	if (label !== "PRIVATE KEY")
		return createPrivateKey({
			key: der,
			format: "der",
			type: label === "EC PRIVATE KEY" ? "sec1" : "pkcs1",
		});
	return createPrivateKey({
		key: versionOne(der),
		format: "der",
		type: "pkcs8",
	});
}

function publicKey(label: string, der: Buffer): KeyObject {
	const type = label === "PUBLIC KEY" ? "spki" : "pkcs1";
	return createPublicKey({ key: der, format: "der", type });
}

/** PKCS #8 version 2 (RFC 5958) as version 1, which OpenSSL reads: without the public key at its end. */
function versionOne(der: Buffer): Buffer {
	const [outer] = elements(der);
	const parts = outer ? elements(outer.content) : [];
	const [version, algorithm, key] = parts;
	if (!version || !algorithm || !key || version.content[0] !== 1) return der;
	const inner = Buffer.concat([
		Buffer.from([2, 1, 0]),
		algorithm.whole,
		key.whole,
	]);
	const { length } = inner;
	const head =
		length < 128 ? [0x30, length] : [0x30, 0x82, length >> 8, length & 255];
	return Buffer.concat([Buffer.from(head), inner]);
}

/** The elements of DER, one after the other. */
function elements(der: Buffer): { whole: Buffer; content: Buffer }[] {
	const found: { whole: Buffer; content: Buffer }[] = [];
	let at = 0;
	while (at + 2 <= der.length) {
		const first = der[at + 1] ?? 0;
		const octets = first < 128 ? 0 : first & 127;
		if (octets > 4 || at + 2 + octets > der.length) break;
		const length = octets ? der.readUIntBE(at + 2, octets) : first;
		const start = at + 2 + octets;
		const end = start + length;
		found.push({
			whole: der.subarray(at, end),
			content: der.subarray(start, end),
		});
		at = end;
	}
	return found;
}

/** The algorithm of an RSA-PSS key, which says the hash that its signatures have; it may say none. */
function pssAlgorithm({ asymmetricKeyDetails }: KeyObject): string {
	const { hashAlgorithm = "sha256" } = asymmetricKeyDetails ?? {};
	const [, bits] = /^sha(256|384|512)$/.exec(hashAlgorithm) ?? [];
	if (bits) return `PS${bits}`;
	throw new JwkError(
		"",
		`an RSA-PSS key for signatures with ${hashAlgorithm}, which no JWS algorithm has`,
	);
}

/** An RSA-PSS key (RFC 4055) as the RSA key that is in it (RFC 8017), which is what JWK has. */
function plainRsa(key: KeyObject): KeyObject {
	const type = key.type === "private" ? "pkcs8" : "spki";
	const der = key.export({ type, format: "der" } as KeyExportOptions<"der">);
	const [outer] = elements(Buffer.from(der));
	const inner = elements(outer?.content ?? Buffer.of()).at(-1)?.content;
	if (!inner) throw new JwkError("", "an RSA-PSS key without a key");
	return key.type === "private"
		? createPrivateKey({ key: inner, format: "der", type: "pkcs1" })
		: // A BIT STRING begins with the number of its unused bits.
			createPublicKey({ key: inner.subarray(1), format: "der", type: "pkcs1" });
}

function jwkOf(key: KeyObject, certificates: X509Certificate[]): JWK {
	const isPss = key.asymmetricKeyType === "rsa-pss";
	const exported = attempt(() =>
		(isPss ? plainRsa(key) : key).export({ format: "jwk" }),
	) as JWK;
	const jwk = isPss ? { ...exported, alg: pssAlgorithm(key) } : exported;
	const half = key.type === "private" ? createPublicKey(key) : key;
	const own = certificates.find((one) => {
		const { publicKey } = one;
		return (
			publicKey.asymmetricKeyType === half.asymmetricKeyType &&
			publicKey.equals(half)
		);
	});
	if (!own) return jwk;
	const x5c = chainOf(own, certificates).map(({ raw }) =>
		raw.toString("base64"),
	);
	return { ...jwk, x5c };
}

/** A certificate and those that issued it, as far as they are there. */
function chainOf(
	own: X509Certificate,
	certificates: X509Certificate[],
): X509Certificate[] {
	const chain = [own];
	for (const _ of certificates) {
		const last = chain.at(-1) ?? own;
		const issuer = certificates.find(
			(one) => !chain.includes(one) && last.checkIssued(one),
		);
		if (!issuer) break;
		chain.push(issuer);
	}
	return chain;
}
