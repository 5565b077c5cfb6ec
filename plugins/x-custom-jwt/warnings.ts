import { interopWarnings } from "../../jwk/interop";
import type { ClaimTemplates } from "./claim-templates";
import type { Config } from "./config";
import type { Template } from "./template";
import type { Fault } from "./validator";
import { findVariable } from "./variables";

/** Claims by which backends decide what a client may do, or whom it stands for. */
const DECISIVE_CLAIMS = ["sub", "aud", "scope", "roles", "groups"];

/** What is allowed in a configuration, and seldom meant. */
export interface Warning extends Fault {
	/** Whether it is meant in the package's own examples, and nowhere else. */
	onlyInExamples?: boolean;
	/** Whether only the instance needs to say it, since `config check` sees more. */
	isForLog?: boolean;
}

/**
 * What is allowed in a configuration, and seldom meant.
 *
 * @param config what decides it; templates parsed
 */
export function warningsOf(
	config: Pick<
		Config,
		"auth_methods" | "reuse_for" | "trust_client_claims" | "templates"
	> & { signingKey: Config["signingKey"] | undefined },
): Warning[] {
	return [
		...foreignTokens(config),
		...sameNames(config),
		...sameSubjects(config),
		...chosenByClient(config),
		...neverReused(config),
		...ofKey(config.signingKey),
	];
}

function ofKey(key: Config["signingKey"] | undefined): Warning[] {
	if (!key) return [];
	const { jwk, kid } = key;
	const warnings: Warning[] = [
		...key.warnings,
		...interopWarnings({ ...jwk, kid }),
	].map((warning) => ({
		field: "private_jwk",
		message: `private_jwk: ${warning}`,
	}));
	if (key.isTestKey)
		warnings.push({
			field: "private_jwk",
			message:
				"private_jwk is one of the package's test keys, with which everybody can sign; x-custom-jwt keys generate makes one of your own",
			onlyInExamples: true,
		});
	return warnings;
}

/** An instance does not know which other plugins are on its routes. */
function foreignTokens({
	auth_methods,
}: Pick<Config, "auth_methods">): Warning[] {
	if (!auth_methods.includes("oidc")) return [];
	return [
		{
			field: "auth_methods",
			message:
				"config/auth_methods accepts oidc: only openid-connect with auth_methods: [bearer] may guard the routes of this plugin entry, or a client could add a Bearer token of its own making; x-custom-jwt config check shows whether that is so",
			isForLog: true,
		},
	];
}

type MethodsAndTemplates = Pick<Config, "auth_methods" | "templates">;

/** A user, an API key and an OAuth client of one name get equal tokens. */
function sameNames(config: MethodsAndTemplates): Fault[] {
	if (config.auth_methods.length < 2 || tellsApart(config, ["auth.method"]))
		return [];
	return [
		{
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
function sameSubjects(config: MethodsAndTemplates): Fault[] {
	if (!config.auth_methods.includes("jwt") || tellsApart(config, ISSUER_MARKS))
		return [];
	return [
		{
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
	{ auth_methods, templates }: MethodsAndTemplates,
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

function chosenByClient({
	trust_client_claims = [],
	templates,
}: Pick<Config, "trust_client_claims" | "templates">): Fault[] {
	return claimsOf(templates)
		.filter(
			({ claim, template }) =>
				DECISIVE_CLAIMS.includes(claim) &&
				!trust_client_claims.includes(claim) &&
				template.variables.some((variable) => findVariable(variable)?.isSent),
		)
		.map(({ field, claim }) => ({
			field,
			message: `config/${field}: the client chooses the claim ${claim} itself, by a header or query parameter; if that is meant, name it in trust_client_claims`,
		}));
}

function neverReused({
	reuse_for,
	templates,
}: Pick<Config, "reuse_for" | "templates">): Fault[] {
	if (reuse_for === 0 || !templates.variables.includes("request.id")) return [];
	return [
		{
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
