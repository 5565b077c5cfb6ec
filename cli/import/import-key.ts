import type { JWK } from "jose";
import { TEXT_OR_BYTES } from "../../core/warnings";
import { JwkError } from "../../jwk/error";
import { interopWarnings } from "../../jwk/interop";
import { parseJson } from "../../jwk/parse";
import { selectKey } from "../../jwk/select-key";
import { importSigningKey, signingJwk } from "../../jwk/signing-key";
import { thumbprintOf } from "../../jwk/thumbprint";
import { completeRsa } from "./complete-rsa";
import { isPem, keysOfPem } from "./pem";

/**
 * Makes a canonical private JWK.
 *
 * @param text PEM (PKCS #1, PKCS #8, SEC 1; not encrypted), a private JWK, or a JWK Set
 * @param from which key of a set; by default its only one
 * @param kid key ID; by default the JWK's own, else the JWK Thumbprint (RFC 7638)
 * @returns the key with `kid`, `use` (its own, else `sig`) and `alg`, without `iat`, `nbf` and `exp`; and what is better otherwise in what was given
 * @throws {JwkError} for what is no private key that signs
 */
export function importKey(
	text: string,
	from?: string,
	kid?: string,
): { jwk: JWK; warnings: string[] } {
	const json = isPem(text) ? fromPem(text) : parseJson(text);
	const keys = (json as { keys?: unknown } | null)?.keys;
	if (from === undefined && Array.isArray(keys) && keys.length > 1)
		throw new JwkError(
			"keys",
			`has ${keys.length} keys; --from names one by its kid`,
		);
	const selected = JSON.stringify(completeRsa(selectKey(json, from)));
	const { jwk } = signingJwk(selected);
	const { alg, warnings } = importSigningKey(selected, { thorough: true });
	// Times that other tools write into a key say nothing about tokens, and would be published with it.
	const {
		iat: _,
		nbf: __,
		exp: ___,
		...own
	} = jwk as JWK & Record<"iat" | "nbf" | "exp", unknown>;
	if (own.kty === "oct" && (kid ?? own.kid) === undefined)
		throw new JwkError(
			"kid",
			"is missing; --kid gives one, as the hash of a secret helps to guess it (RFC 7638 §7)",
		);
	const named = {
		...own,
		kid: kid ?? own.kid ?? thumbprintOf(jwk),
		use: own.use ?? "sig",
		alg,
	};
	if (named.kty === "oct") warnings.push(TEXT_OR_BYTES);
	return { jwk: named, warnings: [...warnings, ...interopWarnings(named)] };
}

function fromPem(pem: string): unknown {
	const [key, ...others] = keysOfPem(pem);
	if (others.length)
		throw new JwkError("", "PEM with several keys; give the one that signs");
	if (!key?.d)
		throw new JwkError(
			"",
			"PEM without a private key (PKCS #1, PKCS #8 or SEC 1)",
		);
	return key;
}
