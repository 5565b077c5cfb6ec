import { createHash, X509Certificate } from "node:crypto";
import type { Facts, Question } from "./facts";

/** What a template, or `certificate_clientid`, can name of a client's certificate. */
export const CERTIFICATE_MEMBERS = [
	"subject",
	"issuer",
	"serial",
	"fingerprint",
	"san.uri",
	"san.dns",
	"san.email",
	"not_after",
] as const;

/** A client's certificate; members that it does not have are undefined. */
export type Certificate = Record<
	(typeof CERTIFICATE_MEMBERS)[number],
	string | string[] | number | undefined
> & {
	/** SHA-256 of its DER, base64url: the value of `x5t#S256` (RFC 8705 §3.1). */
	fingerprint: string;
};

/** What tells whether the client's certificate was verified, and which it is. */
export const certificateQuestions: readonly Question[] = [
	{ about: "ctx", name: "CLIENT_VERIFY_OVERRIDE" },
	{ about: "variable", name: "ssl_client_verify" },
	{ about: "certificate" },
];

/** Whether an mTLS plugin verified the certificate; undefined when none judged it (Kong fact). */
export function isVerifiedByPlugin(facts: Facts): boolean | undefined {
	const verdict = facts.get("ctx", "CLIENT_VERIFY_OVERRIDE") ?? undefined;
	return verdict === undefined ? undefined : verdict === "SUCCESS";
}

/** Whether the certificate was verified: a plugin's verdict overrules the listener's. */
export function isCertificateVerified(facts: Facts): boolean {
	return (
		isVerifiedByPlugin(facts) ??
		facts.get("variable", "ssl_client_verify") === "SUCCESS"
	);
}

/** The client's certificate when it was verified. */
export function verifiedCertificate(facts: Facts): Certificate | undefined {
	const pem = isCertificateVerified(facts) && facts.get("certificate");
	if (!pem) return undefined;
	try {
		return describe(new X509Certificate(pem));
	} catch {
		// Same as no certificate.
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
