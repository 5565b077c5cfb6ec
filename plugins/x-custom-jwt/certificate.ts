import { createHash, X509Certificate } from "node:crypto";
import type { Certificate } from "../../core/platform";

/**
 * Reads a client's certificate.
 *
 * @param pem the chain, the client's own certificate first
 * @returns undefined when it cannot be read, as when there is none
 */
export function readCertificate(pem: string): Certificate | undefined {
	try {
		return describe(new X509Certificate(pem));
	} catch {
		return undefined;
	}
}

/**
 * Subject and issuer are in the certificate's own order, e.g. `C=US, O=Kong Inc., CN=kong`. Node.js escapes
 * what could make one attribute look like two (RFC 2253 §2.4).
 */
function describe(certificate: X509Certificate): Certificate {
	const { subject, issuer, serialNumber, raw, validTo, subjectAltName } =
		certificate;
	const names = alternativeNames(subjectAltName ?? "");
	return {
		subject: distinguishedName(subject),
		issuer: distinguishedName(issuer),
		serial: serialNumber,
		fingerprint: createHash("sha256").update(raw).digest("base64url"),
		"san.uri": names("URI"),
		"san.dns": names("DNS"),
		"san.email": names("email"),
		not_after: Math.floor(Date.parse(validTo) / 1000),
	};
}

function distinguishedName(lines: string | undefined): string | undefined {
	return lines ? lines.split("\n").join(", ") : undefined;
}

/** One name as Node.js writes it: in JSON's quotes when it could look like two. */
const NAME = /([^:, ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g;

function alternativeNames(
	written: string,
): (type: string) => string[] | undefined {
	const all = [...written.matchAll(NAME)].map(([, type, name = ""]) => ({
		type,
		name: name.startsWith('"') ? String(JSON.parse(name)) : name,
	}));
	return (type) => {
		const names = all.filter((one) => one.type === type);
		return names.length > 0 ? names.map(({ name }) => name) : undefined;
	};
}
