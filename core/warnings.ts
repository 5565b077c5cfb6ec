/** What is allowed in a configuration, and seldom meant. */
import type { ConfigFields } from "../schema/fields";
import type { ClaimTemplates } from "./claim-templates";
import type { KeyInfo } from "./platform";
import type { Template } from "./template";
import { findVariable } from "./variables";

/** Claims by which backends decide what a client may do, or whom it stands for. */
const DECISIVE_CLAIMS = ["sub", "aud", "scope", "roles", "groups"];

/** Something that is allowed, and seldom meant. */
export interface Warning {
	/** The rule of `config check` that reports it. */
	id:
		| "claim-chosen-by-client"
		| "issuers-not-told-apart"
		| "key-interoperability"
		| "methods-not-told-apart"
		| "oidc-unchecked"
		| "reuse-without-effect"
		| "test-key";
	/** The field's name. */
	field: string;
	/** In words, never with the value. */
	message: string;
	/** Whether only the instance needs to say it, since `config check` sees more. */
	isForLog?: boolean;
}

/** For a symmetric key when the configuration does not say how `k` is meant. */
export const TEXT_OR_BYTES =
	"the HMAC key is the bytes that k encodes (RFC 7518 §6.4.1), not its text, which is what the Lua plugin signs with and Kong's jwt plugin verifies with; hmac_key_is_text says which is meant";

type WarnedConfig = Pick<
	ConfigFields,
	"auth_methods" | "hmac_key_is_text" | "reuse_for"
> & {
	templates: ClaimTemplates;
};

/**
 * Finds all warnings about a configuration.
 *
 * @param key undefined when it is hidden in a vault
 */
export function warningsOf(
	config: WarnedConfig,
	key: KeyInfo | undefined,
): Warning[] {
	return [
		...foreignTokens(config),
		...sameNames(config),
		...sameSubjects(config),
		...chosenByClient(config),
		...neverReused(config),
		...(key ? ofKey(key, config) : []),
	];
}

function ofKey(key: KeyInfo, { hmac_key_is_text }: WarnedConfig): Warning[] {
	const isOpen = key.alg.startsWith("HS") && hmac_key_is_text === undefined;
	const warnings = [
		...key.warnings,
		...(isOpen ? [TEXT_OR_BYTES] : []),
		...key.interop,
	].map(
		(warning): Warning => ({
			id: "key-interoperability",
			field: "private_jwk",
			message: `private_jwk: ${warning}`,
		}),
	);
	if (key.isTestKey)
		warnings.push({
			id: "test-key",
			field: "private_jwk",
			message:
				"private_jwk is one of the package's test keys, with which everybody can sign; x-custom-jwt keys generate makes one of your own",
		});
	return warnings;
}

/** An instance does not know which other plugins are on its routes. */
function foreignTokens({ auth_methods }: WarnedConfig): Warning[] {
	if (!auth_methods.includes("oidc")) return [];
	return [
		{
			id: "oidc-unchecked",
			field: "auth_methods",
			message:
				"config/auth_methods accepts oidc: only openid-connect with auth_methods: [bearer] may guard the routes of this plugin entry, or a client could add a Bearer token of its own making; x-custom-jwt config check shows whether that is so",
			isForLog: true,
		},
	];
}

/** A user, an API key and an OAuth client of one name get equal tokens. */
function sameNames(config: WarnedConfig): Warning[] {
	if (config.auth_methods.length < 2 || tellsApart(config, ["auth.method"]))
		return [];
	return [
		{
			id: "methods-not-told-apart",
			field: "auth_methods",
			message:
				"config/auth_methods accepts several methods, and no claim tells them apart: clients of one name get equal tokens; set_claims: {auth_method: $(auth.method)} tells them apart",
		},
	];
}

/** What differs where two credentials of the jwt plugin verified a token. */
const ISSUER_MARKS = ["auth.issuer", "claims.iss", "credential.id"];

/**
 * Whoever has a jwt credential issues tokens, and one consumer may have several. openid-connect takes those of the one
 * issuer it is configured with, so `oidc` alone needs no mark.
 */
function sameSubjects(config: WarnedConfig): Warning[] {
	if (!config.auth_methods.includes("jwt") || tellsApart(config, ISSUER_MARKS))
		return [];
	return [
		{
			id: "issuers-not-told-apart",
			field: "auth_methods",
			message:
				"config/auth_methods accepts jwt, tokens of every issuer that has a credential, and no claim tells issuers apart: subjects of one name get equal tokens; set_claims: {idp: $(auth.issuer)} tells them apart",
		},
	];
}

/**
 * Whether one of the variables is in every token. Where tokens come in, `add_claims` makes no mark: a token that has
 * the claim keeps its own.
 */
function tellsApart(
	{ auth_methods, templates }: WarnedConfig,
	marks: string[],
): boolean {
	const takesTokens =
		auth_methods.includes("jwt") || auth_methods.includes("oidc");
	return claimsOf(templates)
		.filter(({ field }) => !takesTokens || field !== "add_claims")
		.some(({ template }) =>
			template.variables.some((variable) => marks.includes(variable)),
		);
}

function chosenByClient({ templates }: WarnedConfig): Warning[] {
	return claimsOf(templates)
		.filter(
			({ claim, template }) =>
				DECISIVE_CLAIMS.includes(claim) &&
				template.variables.some((variable) => findVariable(variable)?.isSent),
		)
		.map(
			({ field, claim }): Warning => ({
				id: "claim-chosen-by-client",
				field,
				message: `config/${field}: the client chooses the claim ${claim} itself, by a header or query parameter`,
			}),
		);
}

function neverReused({ reuse_for, templates }: WarnedConfig): Warning[] {
	if (reuse_for === 0 || !templates.variables.includes("request.id")) return [];
	return [
		{
			id: "reuse-without-effect",
			field: "reuse_for",
			message:
				"config/reuse_for has no effect: each token has a $(request.id) of its own",
		},
	];
}

function claimsOf({
	added,
	set,
	audience = [],
	subject,
}: ClaimTemplates): { field: string; claim: string; template: Template }[] {
	const all = [
		...added.map((one) => ({ field: "add_claims", ...one })),
		...set.map((one) => ({ field: "set_claims", ...one })),
		...audience.map((template) => ({
			field: "audience",
			claim: "aud",
			template,
		})),
	];
	return subject
		? [...all, { field: "subject", claim: "sub", template: subject }]
		: all;
}
