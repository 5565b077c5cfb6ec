/**
 * What Kong's OpenSSL does for the handler, by Node.js. Each character of a text that comes in is one byte, as in
 * `latin1`; bytes that go out are a `Buffer`.
 */
import {
	constants,
	createHmac,
	createPrivateKey,
	createPublicKey,
	hash,
	type JsonWebKey,
	type KeyObject,
	sign,
	verify,
	X509Certificate,
} from "node:crypto";

const bytes = (text: string) => Buffer.from(text, "latin1");

/** How lua-resty-openssl is told to sign. */
interface Options {
	ecdsa_use_raw?: boolean;
	pss_saltlen?: number;
}

/** What a signature is made with, as Node.js wants it. */
function scheme(
	key: KeyObject,
	padding: number | undefined,
	{ ecdsa_use_raw, pss_saltlen }: Options,
) {
	return {
		key,
		...(padding !== undefined && { padding }),
		...(pss_saltlen !== undefined && { saltLength: pss_saltlen }),
		...(ecdsa_use_raw && { dsaEncoding: "ieee-p1363" as const }),
	};
}

/** OpenSSL's way to say that the salt is as long as the hash. */
if (constants.RSA_PSS_SALTLEN_DIGEST !== -1)
	throw new Error("OpenSSL has changed its constants");

function keyOf(jwk: string): KeyObject {
	const key = JSON.parse(bytes(jwk).toString()) as JsonWebKey;
	return key.d === undefined
		? createPublicKey({ key, format: "jwk" })
		: createPrivateKey({ key, format: "jwk" });
}

/** A certificate, as the module `resty.openssl.x509` of the prelude needs it. */
function certificate(pem: string): unknown {
	const { raw, serialNumber, validTo } = new X509Certificate(pem);
	const [tbs = EMPTY] = read(raw)[0]?.children() ?? [];
	const parts = tbs.children();
	// The version is optional (RFC 5280 §4.1).
	const start = parts[0]?.tag === 0xa0 ? 1 : 0;
	return {
		der: raw,
		serial: serialNumber,
		not_after: Math.floor(Date.parse(validTo) / 1000),
		issuer: nameIn(parts[start + 2]),
		subject: nameIn(parts[start + 4]),
		names: alternativeNames(parts.find(({ tag }) => tag === 0xa3)),
	};
}

/** A value in DER (X.690). */
interface Der {
	tag: number;
	content: Buffer;
	children: () => Der[];
}

const EMPTY: Der = { tag: 0, content: Buffer.of(), children: () => [] };

/** Reads values in a row. */
function read(der: Buffer): Der[] {
	const values: Der[] = [];
	let at = 0;
	while (at + 2 <= der.length) {
		const tag = der.readUInt8(at);
		let length = der.readUInt8(at + 1);
		at += 2;
		if (length >= 0x80) {
			const size = length - 0x80;
			length = der.readUIntBE(at, size);
			at += size;
		}
		const content = der.subarray(at, at + length);
		at += length;
		values.push({ tag, content, children: () => read(content) });
	}
	return values;
}

/** OpenSSL's short names of attributes, by their object identifiers in DER. */
const SHORT_NAMES: Record<string, string> = {
	"550403": "CN",
	"550404": "SN",
	"550405": "serialNumber",
	"550406": "C",
	"550407": "L",
	"550408": "ST",
	"550409": "street",
	"55040a": "O",
	"55040b": "OU",
	"55040c": "title",
	"55042a": "GN",
	"0992268993f22c640101": "UID",
	"0992268993f22c640119": "DC",
	"2a864886f70d010901": "emailAddress",
};

/** Attributes in the certificate's order. OpenSSL gives texts as C has them: they end at a zero byte. */
function nameIn(name: Der = EMPTY): { sn: string; blob: Buffer }[] {
	return name.children().flatMap((set) =>
		set.children().map((attribute) => {
			const [type = EMPTY, value = EMPTY] = attribute.children();
			return {
				sn: SHORT_NAMES[type.content.toString("hex")] ?? "UNDEF",
				blob: untilZero(value.content),
			};
		}),
	);
}

/** Object identifier of the extension `subjectAltName` in DER. */
const SUBJECT_ALT_NAME = "551d11";

/** lua-resty-openssl's words for the kinds of alternative names, by their tags (RFC 5280 §4.2.1.6). */
const KINDS: Record<number, string> = {
	129: "RFC822Name",
	130: "DNS",
	134: "URI",
};

function alternativeNames(extensions: Der = EMPTY) {
	const [list = EMPTY] = extensions.children();
	const extension = list
		.children()
		.find(
			(one) => one.children()[0]?.content.toString("hex") === SUBJECT_ALT_NAME,
		);
	const [names = EMPTY] = extension?.children().at(-1)?.children() ?? [];
	return names.children().map(({ tag, content }) => ({
		type: KINDS[tag] ?? "other",
		value: untilZero(content),
	}));
}

function untilZero(content: Buffer): Buffer {
	const zero = content.indexOf(0);
	return zero < 0 ? content : content.subarray(0, zero);
}

/** The functions by the names that the prelude calls them by. They throw where OpenSSL has an error. */
export const crypto = {
	sha256: (data: string) => hash("sha256", bytes(data), "buffer"),
	hmac: (key: string, digest: string, data: string) =>
		createHmac(digest, bytes(key)).update(bytes(data)).digest(),
	key: (jwk: string) => {
		keyOf(jwk);
		return true;
	},
	sign: (
		jwk: string,
		data: string,
		digest: string | null,
		padding: number | null,
		options: Options | null,
	) =>
		sign(
			digest,
			bytes(data),
			scheme(keyOf(jwk), padding ?? undefined, options ?? {}),
		),
	verify: (
		jwk: string,
		signature: string,
		data: string,
		digest: string | null,
		padding: number | null,
		options: Options | null,
	) =>
		verify(
			digest,
			bytes(data),
			scheme(keyOf(jwk), padding ?? undefined, options ?? {}),
			bytes(signature),
		),
	certificate,
};
