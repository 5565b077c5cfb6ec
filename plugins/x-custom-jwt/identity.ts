import { X509Certificate } from "node:crypto";
import type { JWTPayload } from "jose";
import { decodeJwt } from "jose/jwt/decode";
import type { ConfigFields } from "../../schema/fields";
import { refused } from "./errors";
import type { Consumer, Credential, Facts, Question } from "./facts";

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

/** What tells the method of authentication where the credential does not. */
const OTHER_MARKS: Question[] = [
	{ about: "variable", name: "http_x_anonymous_consumer" },
	{ about: "ctx", name: "CLIENT_VERIFY_OVERRIDE" },
	{ about: "variable", name: "ssl_client_verify" },
	{ about: "header", name: "authorization" },
];

/**
 * What tells whom Kong authenticated, besides the credential and the consumer.
 *
 * @param credential as Kong answered
 */
export function identityQuestions(
	credential: Credential | undefined,
	config: IdentityConfig,
): Question[] {
	const method = methodOf(credential);
	if (method === "jwt")
		return [{ about: "shared", name: "authenticated_jwt_token" }];
	if (method) return [];
	if (credential && acceptsOnlyKeys(config))
		return [{ about: "header", name: config.apikey_header }];
	return config.auth_methods.includes("mtls")
		? [...OTHER_MARKS, { about: "certificate" }]
		: OTHER_MARKS;
}

/**
 * Finds out who the client is, by the credential entity that Kong authenticated and never by a
 * header the client chose. The first method whose mark is seen is the method, accepted or not:
 * `auth_methods` can refuse a request but cannot turn it into another identity.
 *
 * @param facts the credential, the consumer, which may be Kong's anonymous one, and the answers to
 * `identityQuestions`
 * @throws {Refusal} when nobody authenticated, the method is not in `auth_methods`, or it
 * yields no `client_id`
 */
export function identify(facts: Facts, config: IdentityConfig): Identity {
	const credential = facts.get("credential");
	const method = methodOf(credential);
	if (method) {
		accept(config, method);
		const tokenClaims = method === "jwt" ? validatedClaims(facts) : {};
		return {
			method,
			clientId:
				method === "jwt"
					? clientIdClaim(config, tokenClaims)
					: identifierOf(credential),
			tokenClaims,
			consumer: facts.get("consumer"),
		};
	}
	return credential && acceptsOnlyKeys(config)
		? identifyByKeyHeader(facts, config)
		: identifyByOtherMarks(facts, config);
}

function identifyByKeyHeader(facts: Facts, config: IdentityConfig): Identity {
	const clientId = text(facts.get("header", config.apikey_header));
	if (!clientId) throw refused("no_api_key", { header: config.apikey_header });
	const consumer = facts.get("consumer");
	return { method: "key", clientId, tokenClaims: {}, consumer };
}

function identifyByOtherMarks(facts: Facts, config: IdentityConfig): Identity {
	const credential = facts.get("credential");
	const consumer =
		credential || !isAnonymous(facts) ? facts.get("consumer") : undefined;

	if (isCertificateVerified(facts)) {
		accept(config, "mtls");
		const clientId = subjectDn(facts);
		return { method: "mtls", clientId, tokenClaims: {}, consumer };
	}
	const tokenClaims = credential || consumer ? bearerClaims(facts) : undefined;
	if (tokenClaims) {
		accept(config, "oidc");
		const clientId = clientIdClaim(config, tokenClaims);
		return { method: "oidc", clientId, tokenClaims, consumer };
	}
	if (consumer) {
		accept(config, "consumer");
		const clientId =
			text(consumer.custom_id) ?? text(consumer.username) ?? consumer.id;
		return { method: "consumer", clientId, tokenClaims: {}, consumer };
	}
	throw refused(credential ? "unknown_credential" : "nobody_authenticated", {});
}

/** The method that the credential entity itself tells. */
function methodOf(
	credential: Credential | undefined,
): "basic" | "jwt" | "key" | "oauth2" | undefined {
	if (text(credential?.username)) return "basic";
	if (text(credential?.key)) return isJwtCredential(credential) ? "jwt" : "key";
	return text(credential?.client_id) ? "oauth2" : undefined;
}

/** What the client is called in its credential: its user name, API key or client ID. */
function identifierOf(credential: Credential | undefined): string {
	return (
		text(credential?.username) ??
		text(credential?.key) ??
		text(credential?.client_id) ??
		""
	);
}

/** Then a credential that the plugin does not know is an API key's. */
function acceptsOnlyKeys({ auth_methods }: IdentityConfig): boolean {
	return auth_methods.join() === "key";
}

/**
 * Whether the identity follows from the credential alone, its consumer included: a user name, API key
 * or client ID in an entity that belongs to a consumer.
 */
export function isSelfContained(
	credential: Credential | undefined,
): credential is Credential {
	const method = methodOf(credential);
	return (
		method !== undefined &&
		method !== "jwt" &&
		ownerId(credential) !== undefined
	);
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
	throw refused("method_not_accepted", { method, hint });
}

/**
 * Kong marks its anonymous consumer by the header `X-Anonymous-Consumer`; a credential is then absent
 * (Kong fact). nginx's variable is asked, as it takes every spelling and misses nothing: Kong's own
 * look-up can be made to come back empty, with the name in another spelling (`X_Anonymous_Consumer`)
 * and so many headers that Kong's is cut off. A client that sends the header itself only loses the
 * consumer.
 */
function isAnonymous(facts: Facts): boolean {
	return facts.get("variable", "http_x_anonymous_consumer") !== undefined;
}

function isJwtCredential(credential: Credential | undefined): boolean {
	return Boolean(
		text(credential?.secret) ??
			text(credential?.algorithm) ??
			text(credential?.rsa_public_key),
	);
}

/** Kong's mTLS plugins overrule the listener's verdict in ngx.ctx (Kong fact). */
function isCertificateVerified(facts: Facts): boolean {
	const verdict =
		facts.get("ctx", "CLIENT_VERIFY_OVERRIDE") ??
		facts.get("variable", "ssl_client_verify");
	return verdict === "SUCCESS";
}

/**
 * Subject of the client certificate in the certificate's own order, e.g. `C=US, O=Kong Inc.,
 * CN=kong`. Node.js escapes what could make one attribute look like two (RFC 2253 §2.4).
 */
function subjectDn(facts: Facts): string {
	const certificate = facts.get("certificate");
	try {
		const subject = certificate && new X509Certificate(certificate).subject;
		if (subject) return subject.split("\n").join(", ");
	} catch {
		// Same as no certificate.
	}
	throw refused("no_subject", {});
}

function validatedClaims(facts: Facts): JWTPayload {
	const token = text(facts.get("shared", "authenticated_jwt_token"));
	const claims = token && tokenPayload(token);
	if (claims) return claims;
	throw refused("no_validated_token", {});
}

function bearerClaims(facts: Facts): JWTPayload | undefined {
	const header = text(facts.get("header", "authorization"));
	const token = /^Bearer +([^ ]+) *$/i.exec(header ?? "")?.[1];
	return token ? tokenPayload(token) : undefined;
}

/**
 * Claims of a token that Kong has validated; undefined when it is no JWT (RFC 7519 §7.2).
 *
 * @throws {Refusal} for a number that would be signed as another one: somebody else's id, say
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
		throw refused("inexact_number", {});
	if (typeof value !== "object" || value === null) return;
	if (depth > MAX_DEPTH) throw refused("deep_token", { depth: MAX_DEPTH });
	for (const member of Object.values(value)) requireExact(member, depth + 1);
}

function clientIdClaim(config: IdentityConfig, claims: JWTPayload): string {
	const clientId = text(claims[config.bearer_clientid_claim]);
	if (clientId) return clientId;
	throw refused("no_client_id_claim", { claim: config.bearer_clientid_claim });
}

function text(value: unknown): string | undefined {
	return typeof value === "string" && value !== "" ? value : undefined;
}
