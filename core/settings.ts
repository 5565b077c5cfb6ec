/** From a configuration to what does not depend on a request. */
import type { ConfigFields } from "../schema/fields";
import { bindingQuestions } from "./binding";
import { certificateQuestions } from "./certificate";
import { type ClaimTemplates, parseClaimTemplates } from "./claim-templates";
import { challenges } from "./decisions";
import { isClearable, NOT_FORWARDED } from "./headers";
import type { KeyInfo, Platform } from "./platform";
import {
	CONNECTION,
	CONSUMER,
	CONTENT_LENGTH,
	CREDENTIAL,
	METHOD,
	PROTOCOL,
	type Question,
	ROUTE,
	SERVICE,
} from "./questions";
import { isRefusal, misconfigured } from "./refusals";
import { followsFromCredential } from "./reuse";
import { protectedHeader } from "./token";
import {
	type NamedVariable,
	namedVariables,
	variableQuestions,
} from "./variables";
import { type Warning, warningsOf } from "./warnings";

/**
 * Ids of the entities that the plugin entry is configured on; Kong adds them to the configuration
 * it sends (Kong fact). All are absent for a global plugin.
 */
export interface Scope {
	service_id?: string | undefined;
	route_id?: string | undefined;
	consumer_id?: string | undefined;
}

/** The configuration of one plugin entry, with all prepared that does not depend on a request. */
export interface Settings extends Omit<ConfigFields, "private_jwk"> {
	platform: Platform;
	scope: Scope;
	templates: ClaimTemplates;
	namedVariables: NamedVariable[];
	/** The protected header of all its tokens, encoded. */
	header: string;
	/** The value of `WWW-Authenticate`. */
	challenge: string;
	/** What is asked first. */
	firstQuestions: readonly Question[];
	/** What is asked of each request whose token is not reused by its credential. */
	questions: readonly Question[];
	/** Whether a token can follow from the credential and the consumer alone. */
	reusesByCredential: boolean;
	/** What is allowed and seldom meant. */
	warnings: Warning[];
}

/** What is wrong with a field of a configuration. */
export interface Fault {
	/** The field's name; empty when it is none of a field. */
	field: string;
	/** In words, never with the value. */
	message: string;
}

/** What became of a configuration: it is usable when it has no faults. */
export interface Prepared {
	faults: Fault[];
	/** What is allowed and seldom meant; none when there are faults. */
	warnings: Warning[];
	/** Undefined when there are faults, or the key was not to be looked at. */
	settings: Settings | undefined;
}

/** Where settings come from. */
export interface Source {
	/** Each by itself as the schema wants it, but for those in `faults`. */
	fields: ConfigFields;
	scope: Scope;
	platform: Platform;
	/** Imports the key that signs; throws a refusal. Undefined when the key is hidden in a vault. */
	loadKey: (() => KeyInfo) | undefined;
	/** Whether each request is surely one of this plugin entry's. */
	ownInstance: boolean;
	/** Those of fields that the schema found. */
	faults: Fault[];
}

type FieldName = keyof ConfigFields;

/** A rule about fields that are sound by themselves. */
interface Check {
	field: FieldName;
	also: FieldName[];
	/** What is wrong; undefined when nothing is. */
	fault: (fields: ConfigFields) => string | undefined;
}

const CHECKS: Check[] = [
	{
		field: "not_before",
		also: ["expires_in", "issued_at_skew"],
		fault: ({ not_before, expires_in, issued_at_skew }) =>
			(not_before ?? 0) - issued_at_skew >= expires_in
				? "config/not_before must be less than config/expires_in"
				: undefined,
	},
	{
		field: "upstream_custom_jwt_header",
		also: [],
		fault: ({ upstream_custom_jwt_header }) =>
			NOT_FORWARDED.includes(upstream_custom_jwt_header.toLowerCase())
				? "config/upstream_custom_jwt_header is a header that Kong sets or drops itself"
				: undefined,
	},
	{
		field: "upstream_custom_jwt_header",
		also: ["unauthenticated", "run_on_preflight"],
		fault: (fields) =>
			(fields.unauthenticated === "pass" || !fields.run_on_preflight) &&
			!isClearable(fields.upstream_custom_jwt_header)
				? "config/upstream_custom_jwt_header has too many - and _ to clear all spellings of it, as config/unauthenticated and config/run_on_preflight demand"
				: undefined,
	},
];

/** What the key depends on. */
const OF_KEY: FieldName[] = [
	"algorithm",
	"active_kid",
	"key_id",
	"hmac_key_is_text",
	"include_x5c",
];

/** Prepares all that does not depend on a request, and finds every fault on the way. */
export function prepareSettings(source: Source): Prepared {
	const { fields, scope, platform, loadKey, ownInstance } = source;
	const faults = [...source.faults];
	const isSound = (names: FieldName[]) =>
		names.every((name) => source.faults.every(({ field }) => field !== name));
	for (const { field, also, fault } of CHECKS) {
		const message = isSound([field, ...also]) ? fault(fields) : undefined;
		if (message !== undefined) faults.push({ field, message });
	}
	/** Runs what may be refused, of fields that are sound by themselves. */
	function attempt<T>(
		field: FieldName,
		action: () => T,
		also: FieldName[],
	): T | undefined {
		if (!isSound([field, ...also])) return undefined;
		try {
			return action();
		} catch (thrown) {
			if (!isRefusal(thrown)) throw thrown;
			const { message } = thrown;
			faults.push({ field: thrown.field ?? field, message });
			return undefined;
		}
	}
	const key = loadKey && attempt("private_jwk", loadKey, OF_KEY);
	const templates = parseClaimTemplates(
		withoutFaulty(fields, source.faults),
		platform,
		(field, action) => attempt(field, action, ["apikey_header"]),
	);
	if (faults.length > 0) return { faults, warnings: [], settings: undefined };
	const warnings = warningsOf({ ...fields, templates }, key);
	if (!key) return { faults, warnings, settings: undefined };
	const config = { ...fields, scope, templates };
	const reusesByCredential =
		fields.reuse_for > 0 && ownInstance && followsFromCredential(config);
	const questions = requestQuestions(config);
	const withoutBody = questions.filter(({ about }) => about !== "body_digest");
	const { private_jwk: _, ...kept } = config;
	return {
		faults,
		warnings,
		settings: {
			...kept,
			platform,
			namedVariables: namedVariables(templates.variables),
			header: protectedHeader(key, fields, platform),
			challenge: challenges(fields),
			firstQuestions: reusesByCredential
				? credentialQuestions(fields)
				: withoutBody,
			questions,
			reusesByCredential,
			warnings,
		},
	};
}

/** The settings, or the first fault thrown. */
export function requireSettings({ faults, settings }: Prepared): Settings {
	if (settings) return settings;
	throw misconfigured(
		faults[0]?.message ?? "config is unusable",
		faults[0]?.field,
	);
}

/** Templates are parsed of what is left. */
function withoutFaulty(fields: ConfigFields, faults: Fault[]): ConfigFields {
	const sound: Record<string, unknown> = {};
	for (const [name, value] of Object.entries(fields))
		if (faults.every(({ field }) => field !== name)) sound[name] = value;
	return sound as ConfigFields;
}

/** What is asked of every request: who was authenticated, and whether a header would reach the backend. */
function credentialQuestions({
	run_on_preflight,
}: Pick<ConfigFields, "run_on_preflight">): Question[] {
	const questions: Question[] = [CREDENTIAL, CONSUMER, PROTOCOL, CONNECTION];
	if (!run_on_preflight) questions.push(METHOD);
	return questions;
}

/** What each request of a plugin entry is asked about, besides what its method of authentication needs. */
function requestQuestions(
	config: ConfigFields & { scope: Scope; templates: ClaimTemplates },
): Question[] {
	const { audience, scope, templates } = config;
	const questions = credentialQuestions(config);
	if (!audience || scope.service_id) questions.push(SERVICE);
	if (scope.route_id) questions.push(ROUTE);
	questions.push(...variableQuestions(templates.variables));
	if (config.bind_certificate) questions.push(...certificateQuestions);
	if (config.bind_request)
		questions.push(
			CONTENT_LENGTH,
			...bindingQuestions(config.max_request_body_size),
		);
	return questions;
}
