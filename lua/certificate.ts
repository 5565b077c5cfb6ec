/** Reading a client's certificate. */
import * as base64 from "ngx.base64";
import * as x509 from "resty.openssl.x509";
import type { Certificate } from "../core/platform";

/** See `Platform.readCertificate`. */
export function readCertificate(pem: string): Certificate | undefined {
	const [isRead, certificate] = pcall(() => describe(pem));
	return isRead ? certificate : undefined;
}

function describe(pem: string): Certificate | undefined {
	const [certificate] = x509.new(pem, "PEM");
	if (!certificate) return undefined;
	const [der] = certificate.tostring("DER");
	const [sha256] = certificate.digest("sha256");
	if (!der || !sha256) return undefined;
	const [subject] = certificate.get_subject_name();
	const [issuer] = certificate.get_issuer_name();
	const [serial] = certificate.get_serial_number();
	const [not_after] = certificate.get_not_after();
	const names = alternativeNames(certificate, der);
	return {
		subject: distinguishedName(subject, der),
		issuer: distinguishedName(issuer, der),
		serial: serial && string.upper(serial.to_hex()),
		fingerprint: base64.encode_base64url(sha256),
		"san.uri": names.URI,
		"san.dns": names.DNS,
		"san.email": names.email,
		not_after,
	};
}

/** DER's tags of texts that are UTF-8: UTF8String, PrintableString, IA5String (X.680 §8.4). */
const TEXTS = [0x0c, 0x13, 0x16];

/** In the certificate's own order, escaped so that one attribute cannot look like two (RFC 2253 §2.4). */
function distinguishedName(
	name: x509.Name | undefined,
	der: string,
): string | undefined {
	if (!name) return undefined;
	const attributes: string[] = [];
	const next = name.each();
	while (true) {
		const [key, entry] = next();
		if (key === undefined) break;
		requireWhole(der, TEXTS, entry.blob);
		attributes.push(`${entry.sn}=${escapeAttribute(entry.blob)}`);
	}
	return attributes.length > 0 ? attributes.join(", ") : undefined;
}

function escapeAttribute(value: string): string {
	let [escaped] = string.gsub(value, '[,+"\\<>;]', "\\%0");
	[escaped] = string.gsub(escaped, "[%z\x01-\x1f\x7f]", (found) =>
		string.format("\\%02X", string.byte(found, 1)),
	);
	[escaped] = string.gsub(escaped, "^[ #]", "\\%0");
	[escaped] = string.gsub(escaped, " $", "\\ ");
	return escaped;
}

/** DER's tags of alternative names (RFC 5280 §4.2.1.6). */
const TAGS: Record<string, number> = { email: 0x81, DNS: 0x82, URI: 0x86 };

/** By type. */
function alternativeNames(
	certificate: x509.Certificate,
	der: string,
): Record<string, string[] | undefined> {
	const all: Record<string, string[] | undefined> = {};
	const [names] = certificate.get_subject_alt_name();
	if (!names) return all;
	const next = names.each();
	while (true) {
		const [type, value] = next();
		if (type === undefined) break;
		const kind = type === "RFC822Name" || type === "Email" ? "email" : type;
		const tag = TAGS[kind];
		if (tag === undefined) continue;
		requireWhole(der, [tag], value);
		all[kind] = [...(all[kind] ?? []), value];
	}
	return all;
}

/** @throws when the library cut a text off at a zero byte, or it is of a kind that is no UTF-8: it would name somebody else */
function requireWhole(der: string, tags: number[], value: string): void {
	for (const tag of tags)
		if (string.find(der, withLength(tag, value), 1, true) !== undefined) return;
	throw "a text that was cut off";
}

/** A value as DER has it (X.690 §8.1.3). */
function withLength(tag: number, value: string): string {
	const length = value.length;
	if (length < 0x80) return string.char(tag, length) + value;
	return length < 0x100
		? string.char(tag, 0x81, length) + value
		: string.char(tag, 0x82, Math.floor(length / 256), length % 256) + value;
}
