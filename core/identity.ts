/** Whom Kong authenticated: one table of rules. */
import type { ConfigFields } from "../schema/fields";
import {
	certificateQuestions,
	isCertificateVerified,
	isVerifiedByPlugin,
	verifiedCertificate,
} from "./certificate";
import { clientName, type IncomingToken, readToken } from "./incoming-token";
import type { Platform } from "./platform";
import {
	ANONYMOUS_MARK,
	AUTHORIZATION,
	CONSUMER,
	type Consumer,
	CREDENTIAL,
	type Credential,
	type Facts,
	type Question,
	VALIDATED_TOKEN,
	VERIFIED_BY_LISTENER,
	VERIFIED_BY_PLUGIN,
} from "./questions";
import { refused } from "./refusals";
import {
	given,
	hasMembers,
	type Members,
	memberAt,
	requireWellFormed,
	text,
	texts,
} from "./values";

/** Whom Kong authenticated. */
export interface Identity {
	method: AuthMethod | "anonymous";
	/** What the method says of the client, the claim `client_id` unless the configuration sets it. */
	clientId: string;
	/** Claims of the incoming token; none when the client did not come with a token. */
	tokenClaims: Members;
	/** Who issued the incoming token, where Kong verified that; see `requireIssuer`. */
	issuer?: string | undefined;
	/** The consumer on whose behalf the client acts; Kong's anonymous consumer is nobody. */
	consumer: Consumer | undefined;
}

type AuthMethod = ConfigFields["auth_methods"][number];

/** What of a configuration decides who somebody is. */
export type IdentityConfig = Pick<
	ConfigFields,
	"auth_methods" | "bearer_clientid_claim" | "certificate_clientid"
> &
	Partial<Pick<ConfigFields, "set_claims">> &
	Pick<ConfigFields, "unauthenticated"> & { platform: Platform };

/** What a rule looks at. */
interface Seen {
	facts: Facts;
	config: IdentityConfig;
	credential: Credential | undefined;
	/** Undefined when it is Kong's anonymous one. */
	consumer: Consumer | undefined;
	anonymous: Consumer | undefined;
}

/** How one method of authentication is recognised. */
interface Rule {
	method: AuthMethod | "anonymous";
	/** What Kong hands over when this method authenticated, for the docs; Markdown. */
	recognisedBy: string;
	/** What becomes `client_id`, for the docs; Markdown. */
	gives: string;
	/** Whether it applies by the credential alone; then nothing else of an identity matters. */
	isMarked?: (credential: Credential | undefined) => boolean;
	/** What is asked when it is the rule, or may still be, besides credential and consumer. */
	questions: readonly Question[];
	/** Whether the identity follows from the credential and the consumer, so that their token can be reused. */
	isSelfContained: boolean;
	/** Whom it recognises; undefined when it does not apply. */
	recognise: (seen: Seen) => Identity | undefined;
}

/** A rule by a member of the credential that names the client. */
function byMember(
	method: "basic" | "key" | "oauth2",
	member: string,
	words: Pick<Rule, "recognisedBy" | "gives">,
): Rule {
	return {
		method,
		...words,
		questions: [],
		isSelfContained: true,
		isMarked: (credential) => text(credential?.[member]) !== undefined,
		recognise: ({ config, credential, consumer }) => {
			accept(config, method);
			const clientId = text(credential?.[member]) ?? "";
			return { method, clientId, tokenClaims: {}, consumer };
		},
	};
}

/**
 * The rules in the order in which they are tried. The first that applies is the method, accepted or not:
 * `auth_methods` can refuse a request but cannot turn it into another identity.
 */
export const RULES: readonly Rule[] = [
	byMember("basic", "username", {
		recognisedBy: "credential has `username`",
		gives: "the user name",
	}),
	{
		method: "jwt",
		recognisedBy:
			"credential has `key` and one of `secret`, `algorithm`, `rsa_public_key`",
		gives: "the claim `bearer_clientid_claim` of the validated token",
		questions: [VALIDATED_TOKEN],
		isSelfContained: false,
		isMarked: (credential) =>
			text(credential?.key) !== undefined && isJwtCredential(credential),
		recognise: byValidatedToken,
	},
	byMember("key", "key", {
		recognisedBy: "credential has `key` only",
		gives: "the API key",
	}),
	byMember("oauth2", "client_id", {
		recognisedBy: "credential has `client_id`",
		gives: "that client ID",
	}),
	{
		method: "mtls",
		recognisedBy: "an mTLS plugin verified the client's certificate",
		gives: "what `certificate_clientid` names of it, else the consumer",
		questions: [VERIFIED_BY_PLUGIN, VERIFIED_BY_LISTENER],
		isSelfContained: false,
		recognise: (seen) =>
			isVerifiedByPlugin(seen.facts) ? byCertificate(seen) : undefined,
	},
	{
		method: "anonymous",
		recognisedBy:
			"Kong's anonymous consumer, with `unauthenticated: anonymous`",
		gives: "the consumer's `custom_id`, else `username`, else `id`",
		questions: [ANONYMOUS_MARK],
		isSelfContained: false,
		recognise: ({ anonymous }) =>
			anonymous && {
				method: "anonymous",
				clientId: nameOf(anonymous),
				tokenClaims: {},
				consumer: undefined,
			},
	},
	{
		method: "oidc",
		recognisedBy:
			"somebody is authenticated, and `Authorization: Bearer` holds a token that openid-connect validated",
		gives: "the claim `bearer_clientid_claim` of the token",
		questions: [AUTHORIZATION],
		isSelfContained: false,
		recognise: byBearerToken,
	},
	{
		method: "consumer",
		recognisedBy: "a consumer, found by any other plugin",
		gives: "its `custom_id`, else `username`, else `id`",
		questions: [],
		isSelfContained: false,
		recognise: ({ config, consumer }) => {
			if (!consumer) return undefined;
			accept(config, "consumer");
			const clientId = nameOf(consumer);
			return { method: "consumer", clientId, tokenClaims: {}, consumer };
		},
	},
	{
		// Last: a load balancer in front of Kong has a certificate too.
		method: "mtls",
		recognisedBy:
			"the listener verified the client's certificate, and no plugin authenticated anybody",
		gives: "what `certificate_clientid` names of it",
		questions: [],
		isSelfContained: false,
		recognise: (seen) =>
			!seen.credential && isCertificateVerified(seen.facts)
				? byCertificate(seen)
				: undefined,
	},
];

/** The rule that applies by the credential. */
function markedRule(credential: Credential | undefined): Rule | undefined {
	if (!credential) return undefined;
	for (const rule of RULES) if (rule.isMarked?.(credential)) return rule;
	return undefined;
}

const UNMARKED = RULES.filter((rule) => rule.isMarked === undefined);
const UNMARKED_QUESTIONS = UNMARKED.flatMap((rule) => rule.questions);

/**
 * What tells whom Kong authenticated, besides the credential and the consumer.
 *
 * @param credential as Kong answered
 */
export function identityQuestions(
	credential: Credential | undefined,
	config: IdentityConfig,
): readonly Question[] {
	const marked = markedRule(credential);
	if (marked) return marked.questions;
	return config.auth_methods.includes("mtls")
		? [...UNMARKED_QUESTIONS, ...certificateQuestions]
		: UNMARKED_QUESTIONS;
}

/**
 * Whether the identity follows from the credential and the consumer: of a user name, an API key or a client
 * ID, and of no token.
 */
export function isSelfContained(credential: Credential | undefined): boolean {
	return markedRule(credential)?.isSelfContained === true;
}

/**
 * Finds out who the client is, by the credential entity that Kong authenticated and never by a
 * header the client chose.
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
	const credential = facts.get(CREDENTIAL);
	const consumer = facts.get(CONSUMER);
	requireEntity(credential, "credential");
	requireEntity(consumer, "consumer");
	const marked = markedRule(credential);
	const isAnonymous =
		!credential &&
		consumer !== undefined &&
		facts.get(ANONYMOUS_MARK) !== undefined;
	const seen: Seen = {
		facts,
		config,
		credential,
		consumer: isAnonymous ? undefined : consumer,
		anonymous: isAnonymous ? consumer : undefined,
	};
	if (marked) return wellFormed(marked.recognise(seen), config);
	for (const rule of UNMARKED) {
		// An anonymous client is nobody, unless the configuration says otherwise.
		if (rule.method === "anonymous" && isAnonymous)
			if (config.unauthenticated !== "anonymous") return undefined;
		const identity = rule.recognise(seen);
		if (identity) return wellFormed(identity, config);
	}
	if (credential) throw refused("unknown_credential", {});
	return undefined;
}

function wellFormed(
	identity: Identity | undefined,
	{ platform }: IdentityConfig,
): Identity | undefined {
	requireWellFormed(platform, identity?.clientId, "client_id");
	requireWellFormed(platform, identity?.consumer, "consumer");
	return identity;
}

function byValidatedToken(seen: Seen): Identity {
	const { facts, config, credential, consumer } = seen;
	accept(config, "jwt");
	const token = text(facts.get(VALIDATED_TOKEN));
	requireWellFormed(config.platform, token, "token");
	const read = token && readToken(token, config.platform);
	if (!read) throw refused("no_validated_token", {});
	const key = credential?.key;
	requireIssuer(read, key);
	return {
		method: "jwt",
		clientId: clientIdClaim(config, read.claims),
		tokenClaims: read.claims,
		issuer: read.claims.iss === key ? text(key) : undefined,
		consumer,
	};
}

/**
 * Demands that Kong found the credential by the claim `iss`, where it may have found it by another `iss`.
 * Kong's jwt plugin takes `key_claim_name`, by default `iss`, from the claims or else from the header, whatever
 * its type (Kong fact: jwt/handler.lua, read). An `iss` that Kong did not look at would name any issuer.
 */
function requireIssuer(
	{ header, claims: { iss } }: IncomingToken,
	key: unknown,
): void {
	if (iss === key) return;
	const isOnlyInHeader = iss === undefined && header.iss !== undefined;
	if (isOnlyInHeader || (iss !== undefined && typeof iss !== "string"))
		throw refused("unverified_issuer", {});
}

function byBearerToken(seen: Seen): Identity | undefined {
	const { facts, config, credential, consumer } = seen;
	const token =
		credential || consumer ? bearerToken(facts, config.platform) : undefined;
	if (!token) return undefined;
	accept(config, "oidc");
	requireVirtual(credential, consumer, token);
	return {
		method: "oidc",
		clientId: clientIdClaim(config, token.claims),
		tokenClaims: token.claims,
		issuer: text(token.claims.iss),
		consumer,
	};
}

/** By what `certificate_clientid` names of it, else by the consumer that Kong found for it. */
function byCertificate({ facts, config, consumer }: Seen): Identity {
	accept(config, "mtls");
	const certificate = verifiedCertificate(facts, config.platform);
	let clientId = unneeded(config);
	for (const member of config.certificate_clientid) {
		const [named] = texts(certificate?.[member]);
		clientId ??= named;
	}
	clientId ??= consumer && nameOf(consumer);
	if (clientId === undefined)
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

function accept(config: IdentityConfig, method: AuthMethod): void {
	if (config.auth_methods.includes(method)) return;
	const hint =
		method === "oidc"
			? "; if openid-connect authenticated the request, add oidc to auth_methods of this route"
			: "";
	throw refused("method_not_accepted", { method, hint });
}

function isJwtCredential(credential: Credential | undefined): boolean {
	return (
		text(credential?.secret) !== undefined ||
		text(credential?.algorithm) !== undefined ||
		text(credential?.rsa_public_key) !== undefined
	);
}

function bearerToken(
	facts: Facts,
	platform: Platform,
): IncomingToken | undefined {
	const header = text(facts.get(AUTHORIZATION)) ?? "";
	requireWellFormed(platform, header, "Authorization");
	const [scheme = "", ...words] = header.split(" ");
	const tokens = words.filter((word) => word !== "");
	const [token] = tokens;
	return scheme.toLowerCase() === "bearer" && tokens.length === 1 && token
		? readToken(token, platform)
		: undefined;
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
		...texts(credential?.id),
		...texts(consumer?.id),
		...texts(consumer?.username),
		...texts(consumer?.custom_id),
	];
	const alg = text(given(header.alg));
	const isUnsigned = !isSigned || !alg || alg.toLowerCase() === "none";
	if (!isVirtual || isUnsigned || !holdsOne(claims, names))
		throw refused("foreign_token", {});
}

/** Whether one of the texts is in an object, however deep. */
function holdsOne(value: unknown, wanted: readonly string[]): boolean {
	return hasMembers(value)
		? Object.values(value).some((member) => holdsOne(member, wanted))
		: typeof value === "string" && wanted.includes(value);
}

/** The configured claim; a number as its text. */
function clientIdClaim(config: IdentityConfig, claims: Members): string {
	const name = config.bearer_clientid_claim;
	const clientId =
		unneeded(config) ?? clientName(memberAt(claims, name), config.platform);
	if (clientId === undefined)
		throw refused("no_client_id_claim", { claims: name });
	return clientId;
}

/** An empty client ID where the configuration sets its own, so that what the method would need may be missing. */
function unneeded({ set_claims }: IdentityConfig): string | undefined {
	return set_claims?.client_id === undefined ? undefined : "";
}
