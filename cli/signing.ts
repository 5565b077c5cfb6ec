import type { JWK } from "jose";
import { isReference } from "../declarative/references";
import { signingJwk } from "../jwk/signing-key";
import { parseConfig } from "../plugins/x-custom-jwt/config";
import { keyOptions } from "../plugins/x-custom-jwt/private-key";

/** What signs the tokens of a plugin entry. */
export type Signing =
	/** Kong gets it from a vault, or decK from an environment variable: not to be seen here. */
	| { reference: string }
	| {
			reference?: undefined;
			/** The private JWK that signs. */
			jwk: JWK;
			/** Header parameters of its tokens. */
			alg: string;
			kid: string | undefined;
	  };

/**
 * Finds out what signs.
 *
 * @param config a plugin entry's configuration
 * @throws {Refusal} naming the field, or the member of the JWK, that is at fault
 */
export function signingOf(config: Record<string, unknown>): Signing {
	const { private_jwk } = config;
	if (isReference(private_jwk)) return { reference: private_jwk };
	const { key, settings } = parseConfig(config);
	return {
		...signingJwk(String(private_jwk), keyOptions(settings)),
		alg: key.alg,
	};
}
