import { randomUUID } from "node:crypto";
import type { JWTPayload } from "jose";
import type { ConfigFields } from "../../schema/fields";
import type { ClaimTemplate, ClaimTemplates } from "./claim-templates";
import { copiedClaims } from "./copied-claims";
import { type Refusal, refused } from "./errors";
import type { Consumer, Service } from "./facts";
import type { Identity } from "./identity";
import type { Lookup, Template } from "./template";
import { text } from "./text";
import { writeUrl } from "./url";

/** A claims set (RFC 7519 §4), ready for `JSON.stringify`. */
export type Claims = Record<string, unknown>;

/** What a token says, but for its times and its `jti`. */
export interface TokenContent {
	claims: Claims;
	/** When the token must have expired, in seconds since the epoch; undefined when it does not matter. */
	notAfter: number | undefined;
	/** The client's API key, when it is its `client_id`: no log may have it. */
	apiKey: string | undefined;
}

/** What claims come from, besides the configuration. */
export interface ClaimSources {
	identity: Identity;
	/** The Kong Service the request goes to. */
	service: Service | undefined;
	/** Claims that bind the token to the request, or its certificate; see binding.ts. */
	bindingClaims: Claims;
	/** Values of the templates' variables. */
	lookup: Lookup;
}

/** What of a configuration decides which claims there are. */
type ClaimsConfig = Pick<
	ConfigFields,
	| "iss"
	| "audience_as_array"
	| "keep_claims"
	| "remove_claims"
	| "strict_claims"
	| "cap_expiry"
> & { templates: ClaimTemplates };

/** Has no member but claims, whatever they are called. */
type ClaimsMap = Map<string, unknown>;

/**
 * Makes the claims. Later ones win over earlier ones: those of the incoming token; then `client_id`,
 * `act`, `iss`, `aud` and `sub`, so that a client cannot choose them; then `add_claims`, `set_claims`.
 *
 * @throws {Refusal} when a value that must be there is not, or there is neither a service nor an audience
 */
export function makeClaims(
	config: ClaimsConfig,
	sources: ClaimSources,
): TokenContent {
	const { method, clientId, tokenClaims } = sources.identity;
	const claims = copiedClaims(config, tokenClaims);
	putOwn(claims, config, sources);
	putConfigured(claims, config, sources.lookup);
	return {
		// Defines members rather than sets them, `__proto__` too.
		claims: Object.fromEntries(claims),
		notAfter: config.cap_expiry ? expiry(tokenClaims) : undefined,
		apiKey: method === "key" ? clientId : undefined,
	};
}

function putOwn(
	claims: ClaimsMap,
	config: ClaimsConfig,
	{ identity, service, bindingClaims, lookup }: ClaimSources,
): void {
	const { audience, subject } = config.templates;
	claims.set("client_id", identity.clientId);
	if (identity.consumer)
		claims.set("act", actor(identity.consumer, claims.get("act")));
	claims.set("iss", config.iss);
	const aud = audience?.flatMap((template) =>
		texts(fill(config, { claim: "aud", template }, lookup)),
	) ?? [serviceUrl(service)];
	claims.set("aud", oneOrMore(aud, config.audience_as_array));
	if (subject) putSubject(claims, config, subject, lookup);
	for (const [claim, value] of Object.entries(bindingClaims))
		claims.set(claim, value);
}

function putSubject(
	claims: ClaimsMap,
	config: ClaimsConfig,
	template: Template,
	lookup: Lookup,
): void {
	const subject = { claim: "sub", template };
	const [value] = texts(fill(config, subject, lookup));
	if (value === undefined && config.strict_claims)
		throw noValue(subject, lookup);
	put(claims, "sub", value);
}

function putConfigured(
	claims: ClaimsMap,
	config: ClaimsConfig,
	lookup: Lookup,
): void {
	const { added, set } = config.templates;
	for (const one of added)
		if (!claims.has(one.claim))
			put(claims, one.claim, fill(config, one, lookup));
	for (const one of set) {
		const value = fill(config, one, lookup);
		if (one.claim === "client_id" && !isText(value)) throw noValue(one, lookup);
		put(claims, one.claim, value);
	}
}

function fill(
	{ strict_claims }: ClaimsConfig,
	one: ClaimTemplate,
	lookup: Lookup,
): unknown {
	const value = one.template.resolve(lookup);
	if (value === undefined && strict_claims) throw noValue(one, lookup);
	return value;
}

function put(claims: ClaimsMap, claim: string, value: unknown): void {
	if (value === undefined) claims.delete(claim);
	else claims.set(claim, value);
}

/**
 * Completes the claims, in place: adds `iat`, `exp`, `jti` and, where configured, `nbf`.
 *
 * @param now the time, in milliseconds since the epoch
 * @throws {Refusal} when the incoming token, which must not be outlived, has expired
 */
export function issueClaims(
	{
		expires_in,
		issued_at_skew,
		not_before,
	}: Pick<ConfigFields, "expires_in" | "issued_at_skew" | "not_before">,
	{ claims, notAfter = Number.POSITIVE_INFINITY }: TokenContent,
	now: number,
): Claims & { exp: number } {
	const issuedAt = Math.floor(now / 1000);
	const iat = issuedAt - issued_at_skew;
	const nbf = not_before === undefined ? undefined : iat + not_before;
	// Whole seconds, and a lifetime below one second must not end at once.
	const exp = Math.min(issuedAt + Math.ceil(expires_in), notAfter);
	if (exp <= Math.max(issuedAt, nbf ?? 0)) throw refused("expired", {});
	// V8 takes longer to copy what `Object.fromEntries` made than to make it.
	return Object.assign(claims, {
		iat,
		exp,
		...(nbf !== undefined && { nbf }),
		jti: randomUUID(),
	});
}

function isText(value: unknown): value is string {
	return typeof value === "string" && value !== "";
}

/** The acting party; the actor of an incoming token is nested in it as a prior one (RFC 8693 §4.1). */
function actor({ custom_id, id }: Consumer, prior: unknown): Claims {
	return {
		client_id: text(custom_id) ?? id,
		...(prior !== undefined && { act: prior }),
	};
}

function noValue({ claim, template }: ClaimTemplate, lookup: Lookup): Refusal {
	const missing = template.required
		.filter((variable) => lookup(variable) === undefined)
		.map((variable) => `$(${variable})`);
	return missing.length > 0
		? refused("no_value", { claim, variables: missing.join(", ") })
		: refused("no_text", { claim });
}

/** The texts in a value that should be one or several (RFC 7519 §2, StringOrURI). */
function texts(value: unknown): string[] {
	return [value].flat().filter(isText);
}

/** A claim `aud` (RFC 7519 §4.1.3). */
function oneOrMore(audience: string[], asArray: boolean): string | string[] {
	const [first, ...others] = audience;
	if (first === undefined) throw refused("no_audience_value", {});
	return asArray || others.length > 0 ? audience : first;
}

/** The backend's URL, its port left out when it is the protocol's default. */
function serviceUrl(service: Service | undefined): string {
	if (!service) throw refused("no_service", {});
	const { protocol, host, port, path } = service;
	return writeUrl(protocol, host, port, path ?? "");
}

function expiry({ exp }: JWTPayload): number | undefined {
	if (exp === undefined) return undefined;
	if (typeof exp === "number") return Math.floor(exp);
	throw refused("odd_expiry", {});
}
