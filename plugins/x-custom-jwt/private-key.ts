/** The private key of a configuration: what its fields mean for the key, and its faults in the words of the fields. */
import { misconfigured } from "../../core/refusals";
import { type Form, JwkError } from "../../jwk/error";
import { sharedSigningKey } from "../../jwk/shared-key";
import type { SigningKey, SigningOptions } from "../../jwk/signing-key";
import type { ConfigFields } from "../../schema/fields";

/** What to do about a text that is not a usable JWK. */
export const CURES: Partial<Record<Form, string>> = {
	pem: "x-custom-jwt keys import makes a JWK of it",
	incomplete: "x-custom-jwt keys import computes them",
	secret: "a key that is its text needs hmac_key_is_text",
};

/** The fields that do not fit the key when an option of the import does not. */
const FIELDS = { select: "active_kid", alg: "algorithm" } as const;

/** What fields of a configuration mean for its key. */
export function keyOptions(fields: Partial<ConfigFields>): SigningOptions {
	return {
		select: fields.active_kid,
		kid: fields.key_id,
		alg: fields.algorithm,
		secretIsText: fields.hmac_key_is_text,
		withCertificates: fields.include_x5c,
	};
}

/**
 * Imports the key that a configuration signs with.
 *
 * @param thorough whether what takes seconds to check is checked too
 * @throws {Refusal} naming the field, and the member of the key, that is at fault
 */
export function importKey(fields: ConfigFields, thorough: boolean): SigningKey {
	try {
		const options = { ...keyOptions(fields), thorough };
		return sharedSigningKey(fields.private_jwk, options);
	} catch (error) {
		if (!(error instanceof JwkError)) throw error;
		const { member, option } = error;
		if (option) {
			const field = FIELDS[option];
			throw misconfigured(`config/${field}: ${error.message}`, field);
		}
		throw misconfigured(
			`private_jwk${member ? "/" : ": "}${faultOf(error, fields.private_jwk)}`,
		);
	}
}

function faultOf({ form, message }: JwkError, text: string): string {
	if (form === "empty")
		return "empty; Kong sends an empty text for a vault reference it cannot resolve";
	if (form === "unknown" && text.trim().startsWith("{vault://"))
		return "a vault reference that Kong did not resolve";
	if (form === "unknown" && isVariable(text.trim()))
		return "not JSON but the name of an environment variable that was not filled in";
	const cure = form && CURES[form];
	return cure ? `${message}; ${cure}` : message;
}

/** Whether a text is `$NAME`, `${NAME}`, or what decK fills in. */
function isVariable(text: string): boolean {
	return /^\$\{\{.*\}\}$/s.test(text) || /^\$\{?\w+\}?$/.test(text);
}
