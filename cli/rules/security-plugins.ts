/** Kong's plugins that authenticate, with their priorities: a plugin of a higher one runs earlier. */
const PRIORITIES: Readonly<Record<string, number>> = {
	session: 1900,
	"oauth2-introspection": 1700,
	"mtls-auth": 1600,
	jwt: 1450,
	oauth2: 1400,
	"vault-auth": 1350,
	"key-auth": 1250,
	"key-auth-enc": 1250,
	"ldap-auth": 1200,
	"ldap-auth-advanced": 1200,
	"basic-auth": 1100,
	"openid-connect": 1050,
	"hmac-auth": 1030,
	"jwt-signer": 1020,
	"ai-mcp-oauth2": 1015,
	saml: 1010,
	"header-cert-auth": 1009,
};

/** The names of Kong's plugins that authenticate. */
export const SECURITY_PLUGINS = Object.keys(PRIORITIES);

/** Kong's plugins of the guard, which clears the header before and looks for it afterwards, and other well-known ones. */
const OTHER_PRIORITIES: Readonly<Record<string, number>> = {
	"pre-function": 1_000_000,
	"correlation-id": 100_001,
	zipkin: 100_000,
	"bot-detection": 2500,
	cors: 2000,
	acme: 1705,
	"grpc-gateway": 998,
	"ip-restriction": 990,
	"request-size-limiting": 951,
	acl: 950,
	"rate-limiting": 910,
	"response-ratelimiting": 900,
	"request-transformer": 801,
	"response-transformer": 800,
	"request-termination": 2,
	"post-function": -1000,
};

/** The priority of a plugin that Kong has. */
export function priorityOf(name: string): number | undefined {
	return PRIORITIES[name] ?? OTHER_PRIORITIES[name];
}
