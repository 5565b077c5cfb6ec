import type { ConfigFields } from "../../schema/fields";

/** Authentication schemes as Kong's own plugins name them; certificates and sessions have none. */
const SCHEMES: Partial<Record<ConfigFields["auth_methods"][number], string>> = {
	basic: "Basic",
	jwt: "Bearer",
	key: "Key",
	oauth2: "Bearer",
	oidc: "Bearer",
};

/**
 * The value of `WWW-Authenticate`, which a 401 must have (RFC 9110 §15.5.2): how a client can authenticate.
 *
 * @param realm the name of what is protected; as the schema takes it, so that it needs no escaping
 */
export function challenges({
	auth_methods,
	realm,
}: Pick<ConfigFields, "auth_methods" | "realm">): string {
	const schemes = new Set(
		auth_methods.flatMap((method) => SCHEMES[method] ?? []),
	);
	// There must be one, and no scheme is registered for certificates and sessions.
	if (schemes.size === 0) schemes.add("Bearer");
	const parameter = realm === undefined ? "" : ` realm="${realm}"`;
	return [...schemes].map((scheme) => scheme + parameter).join(", ");
}
