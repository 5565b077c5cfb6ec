/** Making the claims of a token. */
import type { ConfigFields } from "../schema/fields";
import type { ClaimTemplate, ClaimTemplates } from "./claim-templates";
import { copiedClaims } from "./copied-claims";
import type { Identity } from "./identity";
import { clientName } from "./incoming-token";
import type { Claims, Platform } from "./platform";
import type { Consumer, Service } from "./questions";
import { type Refusal, refused } from "./refusals";
import type { Lookup, Template } from "./template";
import { writeUrl } from "./url";
import { given, type Members, text, texts } from "./values";

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
export type ClaimsConfig = Pick<
	ConfigFields,
	| "iss"
	| "audience_as_array"
	| "keep_claims"
	| "remove_claims"
	| "strict_claims"
	| "cap_expiry"
> & { templates: ClaimTemplates; platform: Platform };

/** A claim's value; undefined when there is none. */
export function claimOf(claims: Claims, name: string): unknown {
	const index = indexOf(claims, name);
	return index < 0 ? undefined : claims[index]?.[1];
}

function indexOf(claims: Claims, name: string): number {
	// A loop, as LuaJIT compiles no closures.
	for (let index = 0; index < claims.length; index += 1)
		if (claims[index]?.[0] === name) return index;
	return -1;
}

/** Sets a claim, in its place where it has one; removes it for `undefined`. */
function put(claims: Claims, name: string, value: unknown): void {
	const index = indexOf(claims, name);
	if (value === undefined) {
		if (index >= 0) claims.splice(index, 1);
	} else if (index >= 0) {
		claims[index] = [name, value];
	} else {
		claims.push([name, value]);
	}
}

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
		claims,
		notAfter: config.cap_expiry ? expiry(tokenClaims) : undefined,
		apiKey: method === "key" ? clientId : undefined,
	};
}

function putOwn(
	claims: Claims,
	config: ClaimsConfig,
	{ identity, service, bindingClaims, lookup }: ClaimSources,
): void {
	const { audience, subject } = config.templates;
	put(claims, "client_id", identity.clientId);
	if (identity.consumer)
		put(claims, "act", actor(identity.consumer, claimOf(claims, "act")));
	put(claims, "iss", config.iss);
	const aud = audience?.flatMap((template) =>
		texts(fill(config, { claim: "aud", template }, lookup)),
	) ?? [serviceUrl(service)];
	put(claims, "aud", oneOrMore(aud, config.audience_as_array));
	if (subject) putSubject(claims, config, subject, lookup);
	for (const [claim, value] of bindingClaims) put(claims, claim, value);
}

function putSubject(
	claims: Claims,
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
	claims: Claims,
	config: ClaimsConfig,
	lookup: Lookup,
): void {
	const { added, set } = config.templates;
	for (const one of added)
		if (claimOf(claims, one.claim) === undefined)
			put(claims, one.claim, fill(config, one, lookup));
	for (const one of set) {
		const value = fill(config, one, lookup);
		if (one.claim === "client_id") {
			const clientId = clientName(value, config.platform);
			if (clientId === undefined) throw noValue(one, lookup);
			put(claims, one.claim, clientId);
		} else {
			put(claims, one.claim, value);
		}
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

/** The acting party; the actor of an incoming token is nested in it as a prior one (RFC 8693 §4.1). */
function actor({ custom_id, id }: Consumer, prior: unknown): Members {
	const client_id = text(custom_id) ?? id;
	return prior === undefined ? { client_id } : { client_id, act: prior };
}

function noValue({ claim, template }: ClaimTemplate, lookup: Lookup): Refusal {
	const missing = template.missing(lookup).map((variable) => `$(${variable})`);
	return missing.length > 0
		? refused("no_value", { claim, variables: missing.join(", ") })
		: refused("no_text", { claim });
}

/** A claim `aud` (RFC 7519 §4.1.3). */
function oneOrMore(audience: string[], asArray: boolean): string | string[] {
	const [first] = audience;
	if (first === undefined) throw refused("no_audience_value", {});
	return asArray || audience.length > 1 ? audience : first;
}

/** The backend's URL, its port left out when it is the protocol's default. */
function serviceUrl(service: Service | undefined): string {
	if (!service) throw refused("no_service", {});
	const { protocol, host, port, path } = service;
	return writeUrl(protocol, host, port, text(path) ?? "");
}

function expiry(tokenClaims: Members): number | undefined {
	const exp = tokenClaims.exp;
	if (exp === undefined) return undefined;
	if (typeof exp === "number") return Math.floor(exp);
	throw refused("odd_expiry", {});
}

/**
 * Completes the claims, in place: adds `iat`, `exp`, `jti` and, where configured, `nbf`.
 *
 * @throws {Refusal} when the incoming token, which must not be outlived, has expired
 */
export function issueClaims(
	{
		expires_in,
		issued_at_skew,
		not_before,
		platform,
	}: Pick<ConfigFields, "expires_in" | "issued_at_skew" | "not_before"> & {
		platform: Platform;
	},
	{ claims, notAfter }: TokenContent,
): { claims: Claims; exp: number } {
	const issuedAt = Math.floor(platform.now() / 1000);
	const iat = issuedAt - issued_at_skew;
	const nbf =
		given(not_before) === undefined ? undefined : iat + (not_before ?? 0);
	// Whole seconds, and a lifetime below one second must not end at once.
	const own = issuedAt + Math.ceil(expires_in);
	const exp = notAfter === undefined ? own : Math.min(own, notAfter);
	if (exp <= Math.max(issuedAt, nbf ?? 0)) throw refused("expired", {});
	claims.push(["iat", iat]);
	claims.push(["exp", exp]);
	if (nbf !== undefined) claims.push(["nbf", nbf]);
	claims.push(["jti", platform.uuid()]);
	return { claims, exp };
}
