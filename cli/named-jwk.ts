/** Rules of jwk/ for a key that the user gave: their faults name where it came from. */
import type { JWK } from "jose";
import { JwkError } from "../jwk/error";
import * as parse from "../jwk/parse";
import * as half from "../jwk/public-half";
import { importSigningKey } from "../jwk/signing-key";
import { CURES } from "../plugins/x-custom-jwt/private-key";
import { BadUse } from "./files";
import { isPem, keysOfPem } from "./import/pem";

/**
 * Runs a rule of jwk/.
 *
 * @param what the key, or the text, is called in messages, e.g. its file's name
 * @throws {BadUse} for its `JwkError`
 */
export function naming<T>(what: string, rule: () => T): T {
	try {
		return rule();
	} catch (error) {
		if (!(error instanceof JwkError)) throw error;
		throw new BadUse(`${what}: ${faultOf(error)}`);
	}
}

/** What is wrong with a key, and what to do about it. */
function faultOf({ option, form, message }: JwkError): string {
	if (option === "alg") return `the algorithm ${message}`;
	const cure = form && CURES[form];
	return cure ? `${message}; ${cure}` : message;
}

/** The keys of PEM, of certificates, or of a JWK or JWK Set; see jwk/parse.ts. */
export function parseJwks(text: string, what: string): JWK[] {
	return naming(what, () =>
		isPem(text) ? keysOfPem(text) : parse.parseJwks(text),
	);
}

/** What tokens are verified with: the same, without what is not a key in a set. */
export function readJwks(text: string, what: string) {
	return naming(what, () =>
		isPem(text)
			? { keys: keysOfPem(text), faults: [], isUnnamed: true }
			: parse.readJwks(text),
	);
}

/** See jwk/public-half.ts. */
export function publicHalf(jwk: JWK, what: string): JWK {
	return naming(what, () => half.publicHalf(jwk));
}

/** See jwk/public-half.ts. */
export function publishedHalf(jwk: JWK, what: string, algorithm?: string) {
	return naming(what, () => half.publishedHalf(jwk, algorithm));
}

/**
 * Checks that a JWK can sign tokens, by the plugin's own rules.
 *
 * @returns the `alg` of tokens it signs, by default of the key when the JWK has none
 */
export function checkPrivate(jwk: JWK, what: string): string {
	return naming(what, () => importSigningKey(JSON.stringify(jwk)).alg);
}

/** See jwk/public-half.ts. */
export async function thumbprint(jwk: JWK, what: string): Promise<string> {
	return half.thumbprint(publicHalf(jwk, what));
}
