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
import {
	clientName,
	type IncomingToken,
	type JoseHeader,
	readToken,
} from "./incoming-token";
import { memberAt } from "./member-at";
import { requireWellFormed, text } from "./text";

/** Whom Kong authenticated. */
export interface Identity {
	method: AuthMethod | "anonymous";
	/** The claim `client_id`. */
	clientId: string;
	/** Claims of the incoming token; none when the client did not come with a token. */
	tokenClaims: JWTPayload;
	/** Who issued the incoming token, where Kong verified that; see `requireIssuer`. */
	issuer?: string | undefined;
	/** The consumer on whose behalf the client acts; Kong's anonymous consumer is nobody. */
	consumer: Consumer | undefined;
}

type IdentityConfig = Pick<
	ConfigFields,
	| "auth_methods"
	| "bearer_clientid_claim"
	| "bearer_clientid_claims"
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
	if (method === undefined) return identifyByOtherMarks(facts, config);
	accept(config, method);
	const consumer = facts.get("consumer");
	if (method === "jwt") return identifyByValidatedToken(facts, config);
	const clientId = identifierOf(credential);
	return { method, clientId, tokenClaims: {}, consumer };
}

function identifyByValidatedToken(
	facts: Facts,
	config: IdentityConfig,
): Identity {
	const { header, claims } = validatedToken(facts);
	const key = facts.get("credential")?.key;
	requireIssuer(header, claims, key);
	return {
		method: "jwt",
		clientId: clientIdClaim(config, claims),
		tokenClaims: claims,
		issuer: claims.iss === key ? text(key) : undefined,
		consumer: facts.get("consumer"),
	};
}

/**
 * Demands that Kong found the credential by the claim `iss`, where it may have found it by another `iss`.
 * Kong's jwt plugin takes `key_claim_name`, by default `iss`, from the claims or else from the header, whatever
 * its type (Kong fact: jwt/handler.lua, read). An `iss` that Kong did not look at would name any issuer.
 */
function requireIssuer(
	header: JoseHeader,
	{ iss }: JWTPayload,
	key: unknown,
): void {
	if (iss === key) return;
	const isOnlyInHeader = iss === undefined && Object.hasOwn(header, "iss");
	if (isOnlyInHeader || (iss !== undefined && typeof iss !== "string"))
		throw refused("unverified_issuer", {});
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
	const token = credential || consumer ? bearerToken(facts) : undefined;
	if (token) {
		accept(config, "oidc");
		requireVirtual(credential, consumer, token);
		const tokenClaims = token.claims;
		const clientId = clientIdClaim(config, tokenClaims);
		const issuer = text(tokenClaims.iss);
		return { method: "oidc", clientId, tokenClaims, issuer, consumer };
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

/**
 * Whether the identity follows from the credential and the consumer: of a user name, an API key or a client
 * ID, and of no token.
 */
export function isSelfContained(credential: Credential | undefined): boolean {
	const method = methodOf(credential);
	return method !== undefined && method !== "jwt";
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

function validatedToken(facts: Facts): IncomingToken {
	const token = text(facts.get("shared", "authenticated_jwt_token"));
	requireWellFormed(token, "token");
	const read = token && readToken(token);
	if (read) return read;
	throw refused("no_validated_token", {});
}

function bearerToken(facts: Facts): IncomingToken | undefined {
	const header = text(facts.get("header", "authorization"));
	requireWellFormed(header, "Authorization");
	const token = /^Bearer +([^ ]+) *$/i.exec(header ?? "")?.[1];
	return token ? readToken(token) : undefined;
}

/**
 * Demands what openid-connect leaves when it has validated a Bearer token: a virtual credential, which is an `id`
 * and nothing else, or none; and in the token the name of that credential or of the consumer, by which
 * openid-connect found it (`credential_claim`, `consumer_claim`; read in its documentation). A credential of
 * another plugin, such as a session, names its consumer or its secret.
 */
function requireVirtual(
	credential: Credential | undefined,
	consumer: Consumer | undefined,
	{ header, claims, isSigned }: IncomingToken,
): void {
	const isVirtual = Object.keys(credential ?? {}).every(
		(member) => member === "id",
	);
	const names = [
		credential?.id,
		consumer?.id,
		consumer?.username,
		consumer?.custom_id,
	].filter((name) => text(name) !== undefined);
	const isUnsigned = !isSigned || String(header.alg).toLowerCase() === "none";
	if (!isVirtual || isUnsigned || !holdsOne(claims, names))
		throw refused("foreign_token", {});
}

/** Whether one of the values is in an object, however deep. */
function holdsOne(value: unknown, wanted: readonly unknown[]): boolean {
	return typeof value === "object" && value !== null
		? Object.values(value).some((member) => holdsOne(member, wanted))
		: wanted.includes(value);
}

/** The first of the configured claims that the token has; a number as its text. */
function clientIdClaim(config: IdentityConfig, claims: JWTPayload): string {
	const { bearer_clientid_claims: names = [config.bearer_clientid_claim] } =
		config;
	for (const name of names) {
		const clientId = clientName(memberAt(claims, name));
		if (clientId) return clientId;
	}
	throw refused("no_client_id_claim", { claims: names.join(", ") });
}
