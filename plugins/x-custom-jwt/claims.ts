import { randomUUID } from "node:crypto";
import type { JWTPayload } from "jose";
import type { ConfigFields } from "../../schema/fields";
import { Misconfigured, Unauthorized } from "./errors";
import type { Consumer, Service } from "./facts";
import type { Identity } from "./identity";
import {
	type Lookup,
	parseTemplate,
	parseValue,
	type Template,
} from "./template";
import { writeUrl } from "./url";
import { requireVariable } from "./variables";

/** A claims set (RFC 7519 §4), ready for `JSON.stringify`. */
export type Claims = Record<string, unknown>;

/** What is known of a token before it is issued: all but its times and its `jti`. */
export interface Draft {
	claims: Claims;
	/** When the token must have expired, in seconds since the epoch; undefined when it does not matter. */
	notAfter: number | undefined;
	/** The client's API key, when it is its `client_id`: no log may have it. */
	apiKey: string | undefined;
}

/** What a draft is made from, besides the configuration. */
export interface Sources {
	identity: Identity;
	/** The Kong Service the request goes to. */
	service: Service | undefined;
	/** Claims that bind the token to the request; see binding.ts. */
	requestClaims: Claims;
	/** Values of the plan's variables. */
	lookup: Lookup;
}

/** How the claims of a configuration are made, prepared once. */
export interface ClaimsPlan {
	/** Distinct variables that `draft` looks up. */
	variables: string[];
	/**
	 * Makes the claims. Later ones win over earlier ones: those of the incoming token; then `client_id`,
	 * `act`, `iss`, `aud` and `sub`, so that a client cannot choose them; then `add_claims`, `set_claims`.
	 *
	 * @throws {Unauthorized} when a value that must be there is not
	 * @throws {Misconfigured} when there is neither a service nor an audience
	 */
	draft(sources: Sources): Draft;
}

/** Has no member but claims, whatever they are called. */
type ClaimsMap = Map<string, unknown>;

/** Roots of variables that a client cannot choose; its `client_id` comes from no other. */
const TRUSTED = ["consumer", "credential", "claims", "service", "route"];

/** Every token has its own. */
const TOKEN_CLAIMS = ["iat", "exp", "jti"];

/**
 * Prepares how the claims of a configuration are made: parses its templates.
 *
 * @throws {Misconfigured} naming the field and claim whose template is at fault
 */
export function claimsPlan(
	config: Pick<
		ConfigFields,
		| "iss"
		| "apikey_header"
		| "add_claims"
		| "set_claims"
		| "keep_claims"
		| "remove_claims"
		| "strict_claims"
		| "audience"
		| "subject"
		| "cap_expiry"
	>,
): ClaimsPlan {
	const templates: Template[] = [];
	const prepare = (parse: typeof parseValue, text: string, field: string) => {
		const template = parse(text, field);
		for (const variable of template.variables)
			requireVariable(variable, field, config);
		templates.push(template);
		return template;
	};
	const prepareAll = (field: "add_claims" | "set_claims") =>
		Object.entries(config[field] ?? {}).map(([claim, text]) => ({
			claim,
			template: prepare(parseValue, text, `config/${field}/${claim}`),
		}));
	const added = prepareAll("add_claims");
	const set = prepareAll("set_claims");
	for (const { claim, template } of set)
		if (claim === "client_id") requireTrusted(template);
	const audience = config.audience?.map((text, index) =>
		prepare(parseTemplate, text, `config/audience/${index}`),
	);
	const subject =
		config.subject === undefined
			? undefined
			: prepare(parseTemplate, config.subject, "config/subject");

	const fill = (claim: string, template: Template, lookup: Lookup): unknown => {
		const value = template.resolve(lookup);
		if (value === undefined && config.strict_claims)
			throw noValue(claim, template, lookup);
		return value;
	};
	const fillText = (claim: string, template: Template, lookup: Lookup) => {
		const [text] = texts(fill(claim, template, lookup));
		if (text === undefined && config.strict_claims)
			throw noValue(claim, template, lookup);
		return text;
	};
	const put = (claims: ClaimsMap, claim: string, value: unknown) =>
		value === undefined ? claims.delete(claim) : claims.set(claim, value);

	function putOwn(claims: ClaimsMap, sources: Sources): void {
		const { identity, service, requestClaims, lookup } = sources;
		claims.set("client_id", identity.clientId);
		if (identity.consumer)
			claims.set("act", actor(identity.consumer, claims.get("act")));
		claims.set("iss", config.iss);
		const aud = audience?.flatMap((item) => texts(fill("aud", item, lookup)));
		claims.set("aud", aud ? oneOrMore(aud) : serviceUrl(service));
		if (subject) put(claims, "sub", fillText("sub", subject, lookup));
		for (const [claim, value] of Object.entries(requestClaims))
			claims.set(claim, value);
	}

	function putConfigured(claims: ClaimsMap, lookup: Lookup): void {
		for (const { claim, template } of added)
			if (!claims.has(claim)) put(claims, claim, fill(claim, template, lookup));
		for (const { claim, template } of set) {
			const value = fill(claim, template, lookup);
			if (claim === "client_id" && !isText(value))
				throw noValue(claim, template, lookup);
			put(claims, claim, value);
		}
	}

	function draft(sources: Sources): Draft {
		const { method, clientId, tokenClaims } = sources.identity;
		const claims = copiedClaims(config, tokenClaims);
		putOwn(claims, sources);
		putConfigured(claims, sources.lookup);
		return {
			// Defines members rather than sets them, `__proto__` too.
			claims: Object.fromEntries(claims),
			notAfter: config.cap_expiry ? expiry(tokenClaims) : undefined,
			apiKey: method === "key" ? clientId : undefined,
		};
	}

	return {
		variables: [...new Set(templates.flatMap(({ variables }) => variables))],
		draft,
	};
}

/**
 * Completes a draft, in place: adds `iat`, `exp`, `jti` and, where configured, `nbf`.
 *
 * @param now the time, in milliseconds since the epoch
 * @throws {Unauthorized} when the incoming token, which must not be outlived, has expired
 */
export function issueClaims(
	config: Pick<ConfigFields, "expires_in" | "not_before">,
	{ claims, notAfter = Number.POSITIVE_INFINITY }: Draft,
	now: number,
): Claims & { iat: number; exp: number } {
	const iat = Math.floor(now / 1000);
	// Whole seconds, and a lifetime below one second must not end at once.
	const exp = Math.min(iat + Math.ceil(config.expires_in), notAfter);
	const { not_before } = config;
	if (exp <= iat + Math.max(0, not_before ?? 0))
		throw new Unauthorized(
			"cap_expiry: the incoming token has expired, or will before the new one is valid",
			"claim_refused",
		);
	// V8 takes longer to copy what `Object.fromEntries` made than to make it.
	return Object.assign(claims, {
		iat,
		exp,
		...(not_before !== undefined && { nbf: iat + not_before }),
		jti: randomUUID(),
	});
}

/** @throws {Misconfigured} when a template for `client_id` is up to the client, or a constant that is no text */
function requireTrusted(template: Template): void {
	const field = "config/set_claims/client_id";
	const untrusted = template.variables.find(
		(variable) => !TRUSTED.some((root) => variable.startsWith(`${root}.`)),
	);
	if (untrusted)
		throw new Misconfigured(
			`${field}: the client chooses $(${untrusted}) itself; allowed are those of ${TRUSTED.join(", ")}`,
		);
	if (template.variables.length === 0 && !isText(template.resolve(() => {})))
		throw new Misconfigured(`${field}: a text is expected`);
}

function isText(value: unknown): value is string {
	return typeof value === "string" && value !== "";
}

function copiedClaims(
	{
		keep_claims,
		remove_claims = [],
	}: Pick<ConfigFields, "keep_claims" | "remove_claims">,
	tokenClaims: JWTPayload,
): ClaimsMap {
	return new Map(
		Object.entries(tokenClaims).filter(
			([claim]) =>
				(keep_claims?.includes(claim) ?? true) &&
				!remove_claims.includes(claim) &&
				!TOKEN_CLAIMS.includes(claim),
		),
	);
}

/** The acting party; the actor of an incoming token is nested in it as a prior one (RFC 8693 §4.1). */
function actor({ custom_id, id }: Consumer, prior: unknown): Claims {
	return {
		client_id: custom_id || id,
		...(prior !== undefined && { act: prior }),
	};
}

function noValue(claim: string, template: Template, lookup: Lookup) {
	const missing = template.required
		.filter((variable) => lookup(variable) === undefined)
		.map((variable) => `$(${variable})`);
	return new Unauthorized(
		`claim ${claim}: ${missing.length > 0 ? `no value of ${missing.join(", ")}` : "its value is no text"}`,
		"claim_refused",
	);
}

/** The texts in a value that should be one or several (RFC 7519 §2, StringOrURI). */
function texts(value: unknown): string[] {
	return [value].flat().filter(isText);
}

/** A claim `aud` (RFC 7519 §4.1.3). */
function oneOrMore(audience: string[]): string | string[] {
	const [first, ...others] = audience;
	if (first === undefined)
		throw new Unauthorized(
			"claim aud: no template of audience has a value",
			"claim_refused",
		);
	return others.length > 0 ? audience : first;
}

/** The backend's URL, its port left out when it is the protocol's default. */
function serviceUrl(service: Service | undefined): string {
	if (!service)
		throw new Misconfigured(
			"no audience: the route has no Service; configure `audience`, or the plugin on routes that have one",
			"no_audience",
		);
	const { protocol, host, port, path } = service;
	return writeUrl(protocol, host, port, path ?? "");
}

function expiry({ exp }: JWTPayload): number | undefined {
	if (exp === undefined) return undefined;
	if (typeof exp === "number") return Math.floor(exp);
	throw new Unauthorized(
		"cap_expiry: the incoming token's exp is no number",
		"claim_refused",
	);
}
