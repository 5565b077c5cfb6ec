import { JwkError } from "../../jwk/error";
import { sharedSigningKey } from "../../jwk/shared-key";
import type { SigningKey } from "../../jwk/signing-key";
import { type ConfigFields, configSchema } from "../../schema/fields";
import { type ClaimTemplates, parseClaimTemplates } from "./claim-templates";
import { Misconfigured } from "./errors";
import { HOP_BY_HOP, isClearable } from "./upstream-header";
import { type Fault, faultFinder } from "./validator";
import { type Warning, warningsOf } from "./warnings";

/**
 * Ids of the entities that the plugin entry is configured on; Kong adds them to the configuration
 * it sends (Kong fact). All are absent for a global plugin.
 */
export interface Scope {
	service_id?: string;
	route_id?: string;
	consumer_id?: string;
}

/** The configuration of one plugin entry, validated, with its key and its templates prepared. */
export interface Config extends ConfigFields {
	scope: Scope;
	signingKey: SigningKey;
	templates: ClaimTemplates;
}

type FieldName = keyof typeof configSchema.properties;

/** What became of a configuration: it is usable when it has no faults. */
export interface Prepared {
	faults: Fault[];
	/** What is allowed and seldom meant; none when there are faults. */
	warnings: Warning[];
	/** Undefined when there are faults, or the key was not to be looked at. */
	config: Config | undefined;
}

const findFaults = faultFinder(
	{
		...configSchema,
		properties: {
			...configSchema.properties,
			// The key has better words for an empty text: it is what an unresolved vault reference becomes.
			private_jwk: { type: "string" },
			service_id: { type: "string" },
			route_id: { type: "string" },
			consumer_id: { type: "string" },
		},
	},
	"config",
);

/**
 * Validates a configuration as Kong sends it: defaults filled or not, null fields left out, Kong's
 * own members (`__plugin_id`, `route_id`, …) beside ours; prepares all that does not depend on a request.
 *
 * @param raw the decoded JSON of the plugin server's `StartInstance`
 * @param hasHiddenKey whether `private_jwk` is a vault reference, so that only what depends on the key's
 * members is left open
 */
export function prepare(raw: unknown, { hasHiddenKey = false } = {}): Prepared {
	const data = withArrays(structuredClone(raw));
	const faults = findFaults(data);
	// A fault that is no field's leaves nothing to look at.
	if (faults.some(({ field }) => field === ""))
		return { faults, warnings: [], config: undefined };
	const { service_id, route_id, consumer_id, ...fields } =
		data as ConfigFields & Scope;

	const found: Fault[] = [];
	/** Runs a check of fields that are sound by themselves. */
	function attempt<T>(
		field: FieldName,
		check: () => T,
		also: FieldName[] = [],
	): T | undefined {
		const isSound = [field, ...also].every((name) =>
			faults.every((fault) => fault.field !== name),
		);
		if (!isSound) return undefined;
		try {
			return check();
		} catch (error) {
			if (!(error instanceof Misconfigured)) throw error;
			found.push({ field: error.field ?? field, message: error.message });
			return undefined;
		}
	}
	attempt("not_before", () => requireLater(fields), [
		"expires_in",
		"issued_at_skew",
	]);
	attempt("upstream_custom_jwt_header", () => requireForwarded(fields));
	attempt("upstream_custom_jwt_header", () => requireClearable(fields), [
		"unauthenticated",
		"run_on_preflight",
	]);
	const signingKey = hasHiddenKey
		? undefined
		: attempt("private_jwk", () => importKey(fields), [
				"algorithm",
				"active_kid",
				"key_id",
				"hmac_key_is_text",
				"include_x5c",
			]);
	const templates = parseClaimTemplates(
		withoutFaulty(fields, faults),
		(field, parse) => attempt(field, parse, ["apikey_header"]),
	);
	faults.push(...found);
	const warnings =
		faults.length > 0 ? [] : warningsOf({ ...fields, templates, signingKey });
	if (faults.length > 0 || !signingKey)
		return { faults, warnings, config: undefined };
	const scope = { service_id, route_id, consumer_id };
	return {
		faults,
		warnings,
		config: { ...fields, scope, signingKey, templates },
	};
}

/**
 * Validates and prepares a configuration.
 *
 * @throws {Misconfigured} naming the first field, or member of the JWK, that is at fault
 */
export function parseConfig(raw: unknown): Config {
	const { faults, config } = prepare(raw);
	if (config) return config;
	throw new Misconfigured(
		faults[0]?.message ?? "config is unusable",
		faults[0]?.field,
	);
}

/** @throws {Misconfigured} naming the field, and the member of the key, that is at fault */
function importKey(fields: ConfigFields): SigningKey {
	try {
		return sharedSigningKey(fields.private_jwk, fields);
	} catch (error) {
		if (!(error instanceof JwkError)) throw error;
		const { member, message, option } = error;
		if (option) throw new Misconfigured(`config/${option}: ${message}`, option);
		throw new Misconfigured(`private_jwk${member ? "/" : ": "}${message}`);
	}
}

function withoutFaulty(fields: ConfigFields, faults: Fault[]): ConfigFields {
	const faulty = faults.map(({ field }) => [field, undefined]);
	return { ...fields, ...Object.fromEntries(faulty) };
}

function requireLater({
	not_before = 0,
	expires_in,
	issued_at_skew,
}: ConfigFields): void {
	if (not_before - issued_at_skew >= expires_in)
		throw new Misconfigured(
			"config/not_before must be less than config/expires_in",
		);
}

function requireForwarded(fields: ConfigFields): void {
	if (NOT_FORWARDED.includes(fields.upstream_custom_jwt_header.toLowerCase()))
		throw new Misconfigured(
			"config/upstream_custom_jwt_header is a header that Kong sets or drops itself",
		);
}

function requireClearable({
	unauthenticated,
	run_on_preflight,
	upstream_custom_jwt_header: header,
}: ConfigFields): void {
	const isCleared = unauthenticated === "pass" || !run_on_preflight;
	if (isCleared && !isClearable(header))
		throw new Misconfigured(
			"config/upstream_custom_jwt_header has too many - and _ to clear all spellings of it, as config/unauthenticated and config/run_on_preflight demand",
		);
}

/** Headers of one connection, about the message, or that Kong writes over (Kong: nginx_kong.lua): no token arrives in them. */
const NOT_FORWARDED = [
	...HOP_BY_HOP,
	"content-length",
	"host",
	"proxy",
	"via",
	"x-forwarded-for",
	"x-forwarded-host",
	"x-forwarded-path",
	"x-forwarded-port",
	"x-forwarded-prefix",
	"x-forwarded-proto",
	"x-kong-request-id",
	"x-real-ip",
];

/** Lua has one type for both: an empty array may come as an empty object. */
function withArrays(raw: unknown): unknown {
	if (typeof raw !== "object" || raw === null) return raw;
	return Object.fromEntries(
		Object.entries(raw).map(([name, value]) =>
			arrays.includes(name) && JSON.stringify(value) === "{}"
				? [name, []]
				: [name, value],
		),
	);
}

const arrays = Object.entries(configSchema.properties)
	.filter(([, { type }]) => type === "array")
	.map(([name]) => name);
