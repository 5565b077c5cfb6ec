import { X509Certificate } from "node:crypto";
import type { JWTPayload } from "jose";
import { decodeJwt } from "jose/jwt/decode";
import type { ConfigFields } from "../../schema/fields";
import { Unauthorized } from "./errors";
import type { Consumer, Credential, Kong } from "./pdk";

/** Whom Kong authenticated. */
export interface Identity {
	method: AuthMethod;
	/** The claim `client_id`. */
	clientId: string;
	/** Claims of the incoming token; none when the client did not come with a token. */
	tokenClaims: JWTPayload;
	/** The consumer on whose behalf the client acts; Kong's anonymous consumer is nobody. */
	consumer: Consumer | undefined;
}

type IdentityConfig = Pick<
	ConfigFields,
	"auth_methods" | "bearer_clientid_claim" | "apikey_header"
>;
type AuthMethod = ConfigFields["auth_methods"][number];

/**
 * Finds out who the client is, by the credential entity that Kong authenticated and never by a
 * header the client chose. The first method whose mark is seen is the method, accepted or not:
 * `auth_methods` can refuse a request but cannot turn it into another identity.
 *
 * @param credential what `kong.client.get_credential` gave
 * @param authenticated what `kong.client.get_consumer` gave; may be Kong's anonymous consumer
 * @throws {Unauthorized} when nobody authenticated, the method is not in `auth_methods`, or it
 * yields no `client_id`
 */
export async function identify(
	kong: Kong,
	config: IdentityConfig,
	credential: Credential | undefined,
	authenticated: Consumer | undefined,
): Promise<Identity> {
	const consumer =
		credential || !(await isAnonymous(kong, authenticated))
			? authenticated
			: undefined;
	const identity = (
		method: AuthMethod,
		clientId: string,
		tokenClaims: JWTPayload = {},
	): Identity => ({ method, clientId, tokenClaims, consumer });
	const username = text(credential?.username);
	const key = text(credential?.key);
	const client_id = text(credential?.client_id);

	if (username) {
		accept(config, "basic");
		return identity("basic", username);
	}
	if (key && isJwtCredential(credential)) {
		accept(config, "jwt");
		const token = text(await kong.ctx.shared.get("authenticated_jwt_token"));
		const claims = token && tokenPayload(token);
		if (!claims)
			throw new Unauthorized("jwt: the jwt plugin left no token to read");
		return identity("jwt", clientIdClaim(config, claims), claims);
	}
	if (key) {
		accept(config, "key");
		return identity("key", key);
	}
	if (client_id) {
		accept(config, "oauth2");
		return identity("oauth2", client_id);
	}
	if (credential && config.auth_methods.join() === "key") {
		const header = text(await kong.request.getHeader(config.apikey_header));
		if (!header)
			throw new Unauthorized(
				`key: neither the credential nor the header ${config.apikey_header} holds an API key`,
			);
		return identity("key", header);
	}
	if (await isCertificateVerified(kong)) {
		accept(config, "mtls");
		return identity("mtls", await subjectDn(kong));
	}
	if (credential || consumer) {
		const claims = await bearerClaims(kong);
		if (claims) {
			accept(config, "oidc");
			return identity("oidc", clientIdClaim(config, claims), claims);
		}
	}
	if (consumer) {
		accept(config, "consumer");
		return identity(
			"consumer",
			text(consumer.custom_id) ?? text(consumer.username) ?? consumer.id,
		);
	}
	throw new Unauthorized(
		credential
			? "a credential of no known kind, without consumer, client certificate or Bearer token"
			: "nobody authenticated: no credential, no consumer, no verified client certificate; is a security plugin enabled on the route?",
		"nobody_authenticated",
	);
}

/**
 * Whether the identity follows from the credential alone, its consumer included: a user name, API key
 * or client ID in an entity that belongs to a consumer.
 */
export function isSelfContained(
	credential: Credential | undefined,
): credential is Credential {
	const identifier =
		text(credential?.username) ??
		(isJwtCredential(credential) ? undefined : text(credential?.key)) ??
		text(credential?.client_id);
	return identifier !== undefined && ownerId(credential) !== undefined;
}

/** Whether a consumer is the credential's own, as it is unless another plugin exchanged it. */
export function isOwner(
	consumer: Consumer | undefined,
	credential: Credential | undefined,
): boolean {
	return consumer !== undefined && consumer.id === ownerId(credential);
}

function ownerId(credential: Credential | undefined): string | undefined {
	return text((credential?.consumer as Partial<Consumer> | undefined)?.id);
}

function accept(config: IdentityConfig, method: AuthMethod): void {
	if (config.auth_methods.includes(method)) return;
	const hint =
		method === "oidc"
			? "; if openid-connect authenticated the request, add oidc to auth_methods of this route"
			: "";
	throw new Unauthorized(
		`authenticated by ${method}, which is not in auth_methods${hint}`,
		"method_not_accepted",
	);
}

/**
 * Kong marks its anonymous consumer by the header `X-Anonymous-Consumer`; a credential is then absent
 * (Kong fact). nginx's variable is asked, as it takes every spelling and misses nothing: Kong's own
 * look-up can be made to come back empty, with the name in another spelling (`X_Anonymous_Consumer`)
 * and so many headers that Kong's is cut off. A client that sends the header itself only loses the
 * consumer.
 */
async function isAnonymous(
	kong: Kong,
	consumer: Consumer | undefined,
): Promise<boolean> {
	return (
		consumer !== undefined &&
		(await kong.nginx.getVar("http_x_anonymous_consumer")) !== undefined
	);
}

function isJwtCredential(credential: Credential | undefined): boolean {
	return Boolean(
		text(credential?.secret) ??
			text(credential?.algorithm) ??
			text(credential?.rsa_public_key),
	);
}

/** Kong's mTLS plugins overrule the listener's verdict in ngx.ctx (Kong fact). */
async function isCertificateVerified(kong: Kong): Promise<boolean> {
	const verdict =
		(await kong.nginx.getCtx("CLIENT_VERIFY_OVERRIDE")) ??
		(await kong.nginx.getVar("ssl_client_verify"));
	return verdict === "SUCCESS";
}

/**
 * Subject of the client certificate in the certificate's own order, e.g. `C=US, O=Kong Inc.,
 * CN=kong`. Node.js escapes what could make one attribute look like two (RFC 2253 §2.4).
 */
async function subjectDn(kong: Kong): Promise<string> {
	const chain = await kong.client.tls.getFullClientCertificateChain();
	try {
		const subject = chain && new X509Certificate(chain).subject;
		if (subject) return subject.split("\n").join(", ");
	} catch {
		// Same as no certificate.
	}
	throw new Unauthorized("mtls: the verified certificate has no subject");
}

async function bearerClaims(kong: Kong): Promise<JWTPayload | undefined> {
	const header = await kong.request.getHeader("authorization");
	const token = /^Bearer +([^ ]+) *$/i.exec(text(header) ?? "")?.[1];
	return token ? tokenPayload(token) : undefined;
}

/**
 * Claims of a token that Kong has validated; undefined when it is no JWT (RFC 7519 §7.2).
 *
 * @throws {Unauthorized} for a number that would be signed as another one: somebody else's id, say
 */
function tokenPayload(token: string): JWTPayload | undefined {
	let claims: JWTPayload;
	try {
		claims = decodeJwt(token);
	} catch {
		return undefined;
	}
	requireExact(claims);
	return claims;
}

/** As deep as the plugin server's protocol carries them. */
const MAX_DEPTH = 64;

function requireExact(value: unknown, depth = 0): void {
	if (typeof value === "number" && Math.abs(value) > Number.MAX_SAFE_INTEGER)
		throw new Unauthorized(
			"the incoming token has a number beyond 2^53, which cannot be copied exactly",
		);
	if (typeof value !== "object" || value === null) return;
	if (depth > MAX_DEPTH)
		throw new Unauthorized(
			`the incoming token is nested deeper than ${MAX_DEPTH}`,
		);
	for (const member of Object.values(value)) requireExact(member, depth + 1);
}

function clientIdClaim(config: IdentityConfig, claims: JWTPayload): string {
	const clientId = text(claims[config.bearer_clientid_claim]);
	if (clientId) return clientId;
	throw new Unauthorized(
		`the incoming token has no claim ${config.bearer_clientid_claim} that is a text; see bearer_clientid_claim`,
	);
}

function text(value: unknown): string | undefined {
	return typeof value === "string" && value !== "" ? value : undefined;
}
