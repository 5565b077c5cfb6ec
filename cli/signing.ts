import type { JWK } from "jose";
import { isReference } from "../declarative/references";
import { parseJson } from "../jwk/parse";
import { selectKey } from "../jwk/select-key";
import { parseConfig } from "../plugins/x-custom-jwt/config";

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
 * @throws {Misconfigured} naming the field, or the member of the JWK, that is at fault
 */
export function signingOf(config: Record<string, unknown>): Signing {
	const { private_jwk, active_kid } = config;
	if (isReference(private_jwk)) return { reference: private_jwk };
	const { alg, kid } = parseConfig(config).signingKey;
	// It has been parsed: what signs is a private JWK.
	const json = parseJson(String(private_jwk));
	const wanted = typeof active_kid === "string" ? active_kid : undefined;
	const jwk = selectKey(json, wanted) as JWK;
	return { jwk, alg, kid };
}
