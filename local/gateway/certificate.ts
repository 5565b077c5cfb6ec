import "reflect-metadata";
import { KeyObject, webcrypto } from "node:crypto";
import {
	BasicConstraintsExtension,
	type Extension,
	type JsonName,
	KeyUsageFlags,
	KeyUsagesExtension,
	SubjectAlternativeNameExtension,
	X509CertificateGenerator,
} from "@peculiar/x509";

/** A certificate with its private key, both PEM. */
export interface Certificate {
	cert: string;
	key: string;
	/** For signing others with it. */
	keys: CryptoKeyPair;
	subject: JsonName;
}

type CryptoKeyPair = Awaited<ReturnType<typeof generateKeys>>;

const SIGNATURE = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

function generateKeys() {
	return webcrypto.subtle.generateKey(SIGNATURE, true, ["sign", "verify"]);
}

/** A name in the extension `subjectAltName`. */
interface AlternativeName {
	type: "dns" | "url" | "email";
	value: string;
}

/**
 * Makes an X.509 certificate on a new P-256 key.
 *
 * @param subject its attributes in the order they are to have, e.g. `[{ O: ["Kong"] }, { CN: ["kong"] }]`
 * @param options `issuer`: who signs, itself when absent; `ca`: whether it may sign others;
 * `names`: its alternative names; `days`: how long it lasts
 */
export async function makeCertificate(
	subject: JsonName,
	{
		issuer,
		ca = false,
		names = [],
		days,
	}: {
		issuer?: Certificate;
		ca?: boolean;
		names?: AlternativeName[];
		days: number;
	},
): Promise<Certificate> {
	const keys = await generateKeys();
	const extensions: Extension[] = [new BasicConstraintsExtension(ca)];
	if (ca) extensions.push(new KeyUsagesExtension(KeyUsageFlags.keyCertSign));
	if (names.length > 0)
		extensions.push(new SubjectAlternativeNameExtension(names));
	const certificate = await X509CertificateGenerator.create({
		subject,
		issuer: issuer?.subject ?? subject,
		publicKey: keys.publicKey,
		signingKey: (issuer?.keys ?? keys).privateKey,
		signingAlgorithm: SIGNATURE,
		// A clock may be behind.
		notBefore: new Date(Date.now() - 86_400_000),
		notAfter: new Date(Date.now() + days * 86_400_000),
		extensions,
	});
	const key = KeyObject.from(keys.privateKey)
		.export({ type: "pkcs8", format: "pem" })
		.toString();
	return { cert: `${certificate.toString("pem")}\n`, key, keys, subject };
}
