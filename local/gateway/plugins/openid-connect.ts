import { createRemoteJWKSet, customFetch, jwtVerify } from "jose";
import type { Exit } from "../request";
import { type Lookup, securityStandIn } from "./stand-in";

type KeySet = ReturnType<typeof createRemoteJWKSet>;

// Per gateway, as each resolves addresses its own way.
const keySets = new WeakMap<Lookup, Map<string, KeySet>>();

/**
 * Stand-in for the Enterprise plugin openid-connect, for Bearer tokens only: validated against the
 * JWK Set that the issuer's discovery document names. As in Kong, no consumer is set but a virtual
 * credential whose `id` is the claim `sub`.
 */
export const openidConnect = securityStandIn(
	1050,
	{
		issuer: { type: "string" },
		auth_methods: { type: "array", items: { const: "bearer" } },
		bearer_token_param_type: { type: "array", items: { const: "header" } },
		hide_credentials: { const: false },
		cache_tokens_salt: { type: "string" },
		ssl_verify: { type: "boolean" },
	},
	async (request, { issuer = "" }, lookup) => {
		const token = /^bearer +(\S+)$/i.exec(
			request.header("authorization") ?? "",
		)?.[1];
		try {
			const { payload } = await jwtVerify(
				token ?? "",
				await keySet(issuer, lookup),
				{ issuer, requiredClaims: ["sub", "exp"] },
			);
			const id = String(payload.sub);
			request.authenticate(undefined, { id }, id);
		} catch {
			return unauthorized(issuer);
		}
	},
);

function unauthorized(issuer: string): Exit {
	return {
		status: 401,
		body: { message: "Unauthorized" },
		headers: {
			"www-authenticate": `Bearer realm="${new URL(issuer).host}", error="invalid_token"`,
		},
	};
}

async function keySet(issuer: string, lookup: Lookup): Promise<KeySet> {
	const known = keySets.get(lookup) ?? new Map<string, KeySet>();
	keySets.set(lookup, known);
	const cached = known.get(issuer);
	if (cached) return cached;
	const { fetch } = lookup;
	const discovery = await fetch(`${issuer}/.well-known/openid-configuration`);
	const { jwks_uri } = (await discovery.json()) as { jwks_uri: string };
	const keys = createRemoteJWKSet(new URL(jwks_uri), { [customFetch]: fetch });
	known.set(issuer, keys);
	return keys;
}
