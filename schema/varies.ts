import type { ConfigFields } from "./fields";

/**
 * What a value can differ by from one request of a plugin entry to the next: nothing; whom Kong authenticated (the
 * credential, its consumer, and claims of an incoming token); the Kong Service; the route; or any request.
 */
export type Varies = "never" | "credential" | "service" | "route" | "request";

/** Where it matters whether a field is set: it is not when it is absent or false. */
interface VariesWhen {
	set: Varies;
	unset: Varies;
}

/**
 * What the token can differ by because of each field, besides the variables of its templates. A token may be reused
 * for a credential only where all that the configuration uses differs by no more than that.
 */
export const FIELD_VARIES: Readonly<
	Record<keyof ConfigFields, Varies | VariesWhen>
> = {
	iss: "never",
	jku: "never",
	private_jwk: "never",
	expires_in: "never",
	bearer_clientid_claim: "credential",
	apikey_header: "never",
	upstream_custom_jwt_header: "never",
	token_prefix: "never",
	downstream_custom_jwt_header: "never",
	verbose: "never",
	auth_methods: "credential",
	certificate_clientid: "credential",
	unauthenticated: "credential",
	run_on_preflight: "never",
	realm: "never",
	add_claims: "never",
	set_claims: "never",
	keep_claims: "credential",
	remove_claims: "credential",
	strict_claims: "never",
	// Without it the claim `aud` is the URL of the service.
	audience: { set: "never", unset: "service" },
	audience_as_array: "never",
	subject: "never",
	not_before: "never",
	issued_at_skew: "never",
	cap_expiry: "credential",
	token_type: "never",
	max_token_size: "never",
	key_id: "never",
	algorithm: "never",
	active_kid: "never",
	hmac_key_is_text: "never",
	include_x5c: "never",
	reuse_for: "never",
	reuse_max_tokens: "never",
	bind_request: { set: "request", unset: "never" },
	bind_certificate: { set: "request", unset: "never" },
	max_request_body_size: "never",
	log_claims: "never",
};

/** Returns what the token can differ by because of the fields of a configuration, see `FIELD_VARIES`. */
export function fieldsVary(config: Partial<ConfigFields>): Varies[] {
	const values: Record<string, unknown> = { ...config };
	return Object.entries(FIELD_VARIES).map(([name, varies]) => {
		if (typeof varies === "string") return varies;
		const value = values[name];
		return value === undefined || value === false ? varies.unset : varies.set;
	});
}
