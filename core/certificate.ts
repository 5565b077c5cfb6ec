/** The client's certificate, and who verified it. */
import type { Certificate, Platform } from "./platform";
import {
	CERTIFICATE,
	type Facts,
	type Question,
	VERIFIED_BY_LISTENER,
	VERIFIED_BY_PLUGIN,
} from "./questions";
import { given } from "./values";

/** What tells whether the client's certificate was verified, and which it is. */
export const certificateQuestions: readonly Question[] = [
	VERIFIED_BY_PLUGIN,
	VERIFIED_BY_LISTENER,
	CERTIFICATE,
];

/** Whether an mTLS plugin verified the certificate; undefined when none judged it (Kong fact). */
export function isVerifiedByPlugin(facts: Facts): boolean | undefined {
	const verdict = given(facts.get(VERIFIED_BY_PLUGIN));
	return verdict === undefined ? undefined : verdict === "SUCCESS";
}

/** Whether the certificate was verified: a plugin's verdict overrules the listener's. */
export function isCertificateVerified(facts: Facts): boolean {
	return (
		isVerifiedByPlugin(facts) ?? facts.get(VERIFIED_BY_LISTENER) === "SUCCESS"
	);
}

/** The client's certificate when it was verified, and can be read. */
export function verifiedCertificate(
	facts: Facts,
	platform: Platform,
): Certificate | undefined {
	if (!isCertificateVerified(facts)) return undefined;
	const pem = facts.get(CERTIFICATE);
	return pem ? platform.readCertificate(pem) : undefined;
}
