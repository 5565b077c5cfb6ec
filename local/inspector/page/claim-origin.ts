const ORIGINS: Record<string, string | undefined> = {
	iss: "configuration",
	aud: "configuration",
	exp: "configuration",
	iat: "plugin",
	jti: "plugin",
	act: "consumer",
	// As the examples set them.
	auth_method: "configuration",
	idp: "configuration",
};

/**
 * Where a claim of a gateway's token came from, by the rules of the plugin: a token does not say it.
 * Of an incoming token all claims are copied, so the one that became `client_id` is still there under
 * its own name. When no claim is that one, both answers are given.
 *
 * @param name the claim
 * @param claims all claims of the token, whose signature was verified
 */
export function claimOrigin(
	name: string,
	claims: Record<string, unknown>,
): string {
	const origin = ORIGINS[name];
	if (origin) return origin;
	const others = Object.keys(claims).filter(
		(other) => other !== "client_id" && !ORIGINS[other],
	);
	if (others.some((other) => claims[other] === claims.client_id))
		return "incoming token";
	if (!others.length) return "credential";
	return name === "client_id"
		? "credential or incoming token"
		: "configuration or incoming token";
}
