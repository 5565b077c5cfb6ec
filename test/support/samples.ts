import type { Consumer, Route, Service } from "../../core/questions";
import type { Settings } from "../../core/settings";
import { testKey } from "../../local/demo/flows";
import type { KnownRequest } from "./facts";

/** Entities as Kong hands them to plugins, and secrets that must stay where they are. */

export const API_KEY = "012345AZERTY!";
export const PASSWORD_HASH = "3871dc59ef495b47270e3209dca80899e81de3b4";
export const SHARED_SECRET = "shared-secret-of-the-client";

export const consumer: Consumer = {
	id: "b32379d9-3d28-5683-a79c-72139be6e34f",
	username: "alice",
	custom_id: "alice-custom-id",
};

export const service: Service = {
	id: "adbd70b3-4224-5183-a52a-179d7b34ab5b",
	protocol: "http",
	host: "httpbin",
	port: 9000,
	path: "/anything",
};

export const route: Route = {
	id: "fa492502-3bfd-5e21-a1c2-d10493346f2d",
	name: "orders-api",
};

const entity = {
	id: "1ee08b36-0e31-553f-bc05-85227e1a7ca8",
	consumer: { id: consumer.id },
	created_at: 1795434399,
};

export const credentials = {
	basic: { ...entity, username: "my-user", password: PASSWORD_HASH },
	ldap: { id: "ldap-user", username: "ldap-user", password: PASSWORD_HASH },
	hmac: { ...entity, username: "hmac-user", secret: SHARED_SECRET },
	key: { ...entity, key: API_KEY },
	jwt: { ...entity, key: "issuer", algorithm: "HS256", secret: SHARED_SECRET },
	oauth2: { ...entity, client_id: "shop", client_secret: SHARED_SECRET },
	/** session, openid-connect and mtls-auth leave no more than this. */
	idOnly: { id: entity.id },
};

/** What Kong's session plugin leaves (Kong fact). */
export const sessionOf = (consumer_id: string) => ({
	id: entity.id,
	consumer_id,
});

/** A token that nobody signed. */
export function unsignedToken(claims: object): string {
	const payload = Buffer.from(JSON.stringify(claims)).toString("base64url");
	return `eyJhbGciOiJub25lIn0.${payload}.`;
}

/** A token with a signature that nobody checked. */
export function signedLooking(claims: object): string {
	const part = (value: object) =>
		Buffer.from(JSON.stringify(value)).toString("base64url");
	return `${part({ alg: "ES256" })}.${part(claims)}.c2lnbmF0dXJl`;
}

/** Claims of the token that a client comes with. */
export const tokenClaims = {
	clientId: "web-shop",
	sub: "alice",
	scope: "orders:read",
};

export const clientToken = signedLooking(tokenClaims);

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** What a client can add to any request, to pass for somebody else. */
export const forgedHeaders = {
	...bearer(unsignedToken({ clientId: "admin", roles: ["superuser"] })),
	apikey: "forged-api-key",
	"x-consumer-id": "admin",
	"x-consumer-custom-id": "admin",
	"x-consumer-username": "admin",
	"x-credential-identifier": "admin",
};

/** One well authenticated request per method. */
export const requests: Record<Settings["auth_methods"][number], KnownRequest> =
	{
		basic: { credential: credentials.basic, consumer, service },
		jwt: {
			credential: credentials.jwt,
			consumer,
			service,
			shared: { authenticated_jwt_token: clientToken },
		},
		key: { credential: credentials.key, consumer, service },
		oauth2: { credential: credentials.oauth2, consumer, service },
		mtls: {
			service,
			vars: { ssl_client_verify: "SUCCESS" },
			certificate: testKey("client-cert.pem"),
		},
		oidc: {
			credential: credentials.idOnly,
			consumer,
			service,
			headers: bearer(clientToken),
		},
		consumer: { credential: credentials.idOnly, consumer, service },
	};

/** Kong's anonymous consumer: a consumer without credential, and a header Kong sets. */
export const anonymous: KnownRequest = {
	consumer: { id: "5e2b545b-f71b-50c7-9afa-b2bf20dba80b", username: "guest" },
	headers: { "x-anonymous-consumer": "true" },
	service,
};

/** A configuration as Kong sends it, with a key of test-keys. */
export function rawConfig(fields: object = {}): Record<string, unknown> {
	return { private_jwk: testKey("ES256-jwk-private.json"), ...fields };
}
