import type { JWTPayload } from "jose";
import type { ConfigFields } from "../../schema/fields";
import {
	certificateQuestions,
	isCertificateVerified,
	isVerifiedByPlugin,
	verifiedCertificate,
} from "./certificate";
import { refused } from "./errors";
import type { Consumer, Credential, Facts, Question } from "./facts";
import { requireExact, tokenPayload } from "./incoming-token";
import { memberAt } from "./member-at";
import { requireWellFormed, text } from "./text";

/** Whom Kong authenticated. */
export interface Identity {
	method: AuthMethod | "anonymous";
	/** The claim `client_id`. */
	clientId: string;
	/** Claims of the incoming token; none when the client did not come with a token. */
	tokenClaims: JWTPayload;
	/** The consumer on whose behalf the client acts; Kong's anonymous consumer is nobody. */
	consumer: Consumer | undefined;
}

type IdentityConfig = Pick<
	ConfigFields,
	| "auth_methods"
	| "bearer_clientid_claim"
	| "bearer_clientid_claims"
	| "apikey_header"
	| "certificate_clientid"
	| "unauthenticated"
>;
type AuthMethod = ConfigFields["auth_methods"][number];

/** What tells the method of authentication where the credential does not. */
const OTHER_MARKS: readonly Question[] = [
	{ about: "variable", name: "http_x_anonymous_consumer" },
	{ about: "ctx", name: "CLIENT_VERIFY_OVERRIDE" },
	{ about: "variable", name: "ssl_client_verify" },
	{ about: "header", name: "authorization" },
];

/** What Kong's jwt plugin leaves. */
const VALIDATED_TOKEN: readonly Question[] = [
	{ about: "shared", name: "authenticated_jwt_token" },
];

/**
 * What tells whom Kong authenticated, besides the credential and the consumer.
 *
 * @param credential as Kong answered
 */
export function identityQuestions(
	credential: Credential | undefined,
	config: IdentityConfig,
): readonly Question[] {
	const method = methodOf(credential);
	if (method === "jwt") return VALIDATED_TOKEN;
	if (method) return [];
	if (credential && acceptsOnlyKeys(config))
		return [{ about: "header", name: config.apikey_header }];
	return config.auth_methods.includes("mtls")
		? [...OTHER_MARKS, ...certificateQuestions]
		: OTHER_MARKS;
}

/**
 * Finds out who the client is, by the credential entity that Kong authenticated and never by a
 * header the client chose. The first method whose mark is seen is the method, accepted or not:
 * `auth_methods` can refuse a request but cannot turn it into another identity.
 *
 * @param facts the credential, the consumer, which may be Kong's anonymous one, and the answers to
 * `identityQuestions`
 * @returns undefined when nobody authenticated
 * @throws {Refusal} when the method is not in `auth_methods`, or it yields no `client_id`
 */
export function identify(
	facts: Facts,
	config: IdentityConfig,
): Identity | undefined {
	const identity = identifyByMark(facts, config);
	if (identity) {
		requireWellFormed(identity.clientId, "client_id");
		requireWellFormed(identity.consumer, "consumer");
	}
	return identity;
}

function identifyByMark(
	facts: Facts,
	config: IdentityConfig,
): Identity | undefined {
	const credential = facts.get("credential");
	requireEntity(credential, "credential");
	requireEntity(facts.get("consumer"), "consumer");
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

/**
 * The listener's certificate is the identity only when no plugin authenticated anybody: a load balancer in
 * front of Kong has one too. An mTLS plugin's verdict is authentication.
 */
function identifyByOtherMarks(
	facts: Facts,
	config: IdentityConfig,
): Identity | undefined {
	const credential = facts.get("credential");
	const authenticated = facts.get("consumer");
	const isAnonymous =
		!credential && authenticated !== undefined && isMarkedAnonymous(facts);
	const consumer = isAnonymous ? undefined : authenticated;

	if (isVerifiedByPlugin(facts))
		return identifyByCertificate(facts, config, consumer);
	if (isAnonymous)
		return config.unauthenticated === "anonymous"
			? {
					method: "anonymous",
					clientId: nameOf(authenticated),
					tokenClaims: {},
					consumer: undefined,
				}
			: undefined;
	const tokenClaims = credential || consumer ? bearerClaims(facts) : undefined;
	if (tokenClaims) {
		accept(config, "oidc");
		const clientId = clientIdClaim(config, tokenClaims);
		return { method: "oidc", clientId, tokenClaims, consumer };
	}
	if (consumer) {
		accept(config, "consumer");
		const clientId = nameOf(consumer);
		return { method: "consumer", clientId, tokenClaims: {}, consumer };
	}
	if (credential) throw refused("unknown_credential", {});
	return isCertificateVerified(facts)
		? identifyByCertificate(facts, config, undefined)
		: undefined;
}

/** By what `certificate_clientid` names of it, else by the consumer that Kong found for it. */
function identifyByCertificate(
	facts: Facts,
	config: IdentityConfig,
	consumer: Consumer | undefined,
): Identity {
	accept(config, "mtls");
	const certificate = verifiedCertificate(facts);
	const named = config.certificate_clientid
		.flatMap((member): unknown => certificate?.[member])
		.find(text);
	const clientId = text(named) ?? (consumer && nameOf(consumer));
	if (!clientId)
		throw refused("no_subject", {
			members: config.certificate_clientid.join(", "),
		});
	return { method: "mtls", clientId, tokenClaims: {}, consumer };
}

/** What a consumer is called. */
function nameOf({ custom_id, username, id }: Consumer): string {
	return text(custom_id) ?? text(username) ?? id;
}

/** @throws {Refusal} when it is none of Kong's: a plugin made it up, and nobody can be told by it */
function requireEntity(
	entity: { id?: unknown } | undefined,
	what: string,
): void {
	if (entity !== undefined && !text(entity.id))
		throw refused("odd_entity", { what });
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
function isMarkedAnonymous(facts: Facts): boolean {
	return facts.get("variable", "http_x_anonymous_consumer") !== undefined;
}

function isJwtCredential(credential: Credential | undefined): boolean {
	return Boolean(
		text(credential?.secret) ??
			text(credential?.algorithm) ??
			text(credential?.rsa_public_key),
	);
}

function validatedClaims(facts: Facts): JWTPayload {
	const token = text(facts.get("shared", "authenticated_jwt_token"));
	requireWellFormed(token, "token");
	const claims = token && tokenPayload(token);
	if (claims) return claims;
	throw refused("no_validated_token", {});
}

function bearerClaims(facts: Facts): JWTPayload | undefined {
	const header = text(facts.get("header", "authorization"));
	requireWellFormed(header, "Authorization");
	const token = /^Bearer +([^ ]+) *$/i.exec(header ?? "")?.[1];
	return token ? tokenPayload(token) : undefined;
}

/** The first of the configured claims that the token has; a number as its text. */
function clientIdClaim(config: IdentityConfig, claims: JWTPayload): string {
	const { bearer_clientid_claims: names = [config.bearer_clientid_claim] } =
		config;
	for (const name of names) {
		const value = memberAt(claims, name);
		requireExact(value);
		const clientId = typeof value === "number" ? String(value) : text(value);
		if (clientId) return clientId;
	}
	throw refused("no_client_id_claim", { claims: names.join(", ") });
}
