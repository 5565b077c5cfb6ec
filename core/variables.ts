/** What templates can name: one table. */
import type { ConfigFields } from "../schema/fields";
import type { Varies } from "../schema/varies";
import { certificateQuestions, verifiedCertificate } from "./certificate";
import type { Identity } from "./identity";
import { isToken, requireExact } from "./incoming-token";
import { CERTIFICATE_MEMBERS, type Platform } from "./platform";
import {
	CONSUMER_GROUPS,
	CREDENTIAL,
	type Credential,
	CTX_GROUPS,
	type Facts,
	FORWARDED_IP,
	header,
	METHOD,
	PATH,
	type Question,
	queryArgument,
	REQUEST_ID,
	ROUTE,
	SERVICE,
	SHARED_GROUPS,
} from "./questions";
import { misconfigured, refused } from "./refusals";
import {
	distinct,
	given,
	hasMembers,
	memberAt,
	requireWellFormed,
	text,
} from "./values";

/** What values of variables are read from. */
interface Sources {
	/** With answers to the questions of the variable, and to `CREDENTIAL`. */
	facts: Facts;
	identity: Identity;
	platform: Platform;
}

/** What a template can name. */
interface Variable {
	/** The whole name; `NAME` at its end stands for any name. */
	name: string;
	/**
	 * Returns what must be asked for the value, besides the credential and the consumer.
	 *
	 * @param member the name behind the first dot
	 */
	asks: (member: string) => readonly Question[];
	/** Returns the value; null or undefined when there is none. */
	read: (sources: Sources, member: string) => unknown;
	/** Whether no client can choose the value, so that `client_id` may be made of it. */
	isTrusted: boolean;
	/** Whether the client sends the value as it likes. */
	isSent: boolean;
	/** Whether Kong generates the value, so that it has an API key in it by chance only. */
	isGenerated: boolean;
	varies: Varies;
}

/** What is known of whom Kong authenticated. */
const OF_IDENTITY = {
	asks: (): readonly Question[] => [],
	isTrusted: true,
	isSent: false,
	isGenerated: false,
	varies: "credential",
} as const;

/** What the client sends with each request. */
const OF_CLIENT = {
	isTrusted: false,
	isSent: true,
	isGenerated: false,
	varies: "request",
} as const;

/**
 * All that a template can name, in the order of messages and docs. Code, the reuse of tokens, warnings and
 * `client_id` follow from it.
 */
export const VARIABLES: readonly Variable[] = [
	{
		name: "auth.method",
		...OF_IDENTITY,
		isGenerated: true,
		read: ({ identity }) => identity.method,
	},
	{
		name: "auth.plugin",
		...OF_IDENTITY,
		isGenerated: true,
		read: ({ facts, identity }) =>
			pluginOf(identity.method, facts.get(CREDENTIAL)),
	},
	{
		name: "auth.issuer",
		...OF_IDENTITY,
		read: ({ identity }) => identity.issuer,
	},
	{
		name: "consumer.id",
		...OF_IDENTITY,
		isGenerated: true,
		read: ({ identity }) => identity.consumer?.id,
	},
	...members("consumer", ["username", "custom_id", "tags"], {
		...OF_IDENTITY,
		read: ({ identity }, member) => memberAt(identity.consumer, member),
	}),
	{
		name: "consumer.groups",
		asks: () => [CONSUMER_GROUPS],
		read: ({ facts, identity }) =>
			identity.consumer && groupNames(facts.get(CONSUMER_GROUPS)),
		isTrusted: true,
		isSent: false,
		isGenerated: false,
		varies: "request",
	},
	{
		name: "credential.id",
		...OF_IDENTITY,
		isGenerated: true,
		read: ({ facts }) => entityOf(facts.get(CREDENTIAL))?.id,
	},
	...entity("service", SERVICE),
	...entity("route", ROUTE),
	{
		name: "client.ip",
		asks: () => [FORWARDED_IP],
		read: ({ facts }) => facts.get(FORWARDED_IP),
		isTrusted: false,
		isSent: false,
		isGenerated: true,
		varies: "request",
	},
	{
		name: "request.id",
		asks: () => [REQUEST_ID],
		read: ({ facts }) => facts.get(REQUEST_ID),
		isTrusted: false,
		isSent: false,
		isGenerated: true,
		varies: "request",
	},
	{
		name: "request.method",
		...OF_CLIENT,
		isGenerated: true,
		asks: () => [METHOD],
		read: ({ facts }) => facts.get(METHOD),
	},
	{
		name: "request.path",
		...OF_CLIENT,
		asks: () => [PATH],
		read: ({ facts }) => facts.get(PATH),
	},
	{
		name: "groups",
		asks: () => [SHARED_GROUPS, CTX_GROUPS],
		read: ({ facts }) =>
			groupNames(given(facts.get(SHARED_GROUPS)) ?? facts.get(CTX_GROUPS)),
		isTrusted: false,
		isSent: false,
		isGenerated: false,
		varies: "request",
	},
	...members("certificate", CERTIFICATE_MEMBERS, {
		asks: () => certificateQuestions,
		read: ({ facts, platform }, member) =>
			verifiedCertificate(facts, platform)?.[
				member as (typeof CERTIFICATE_MEMBERS)[number]
			],
		isTrusted: true,
		isSent: false,
		isGenerated: false,
		varies: "request",
	}),
	{
		name: "headers.NAME",
		...OF_CLIENT,
		asks: (name) => [header(name)],
		read: ({ facts }, name) => facts.get(header(name)),
	},
	{
		name: "query_params.NAME",
		...OF_CLIENT,
		asks: (name) => [queryArgument(name)],
		read: ({ facts }, name) => facts.get(queryArgument(name)),
	},
	{
		name: "claims.NAME",
		...OF_IDENTITY,
		read: ({ identity }, name) => memberAt(identity.tokenClaims, name),
	},
];

function members(
	root: string,
	names: readonly string[],
	rest: Omit<Variable, "name">,
): Variable[] {
	return names.map((name) => ({ name: `${root}.${name}`, ...rest }));
}

/** A Kong entity that the request goes through. */
function entity(
	name: "service" | "route",
	question: Question<{ id: string; name?: string | null }>,
): Variable[] {
	const of = {
		asks: () => [question],
		isTrusted: true,
		isSent: false,
		varies: name,
	};
	return [
		{
			name: `${name}.id`,
			...of,
			isGenerated: true,
			read: ({ facts }) => facts.get(question)?.id,
		},
		{
			name: `${name}.name`,
			...of,
			isGenerated: false,
			read: ({ facts }) => facts.get(question)?.name,
		},
	];
}

/**
 * Finds a variable by what a template calls it.
 *
 * @param variable e.g. `headers.x-tenant-id`, which is `headers.NAME`
 * @returns undefined when there is none
 */
export function findVariable(variable: string): Variable | undefined {
	const { root, member } = split(variable);
	return VARIABLES.find(
		({ name }) =>
			name === variable || (member !== "" && name === `${root}.NAME`),
	);
}

/** Returns what the variables begin with that no client can choose, each once. */
export function trustedRoots(): string[] {
	return distinct(
		VARIABLES.filter(({ isTrusted }) => isTrusted).map(
			({ name }) => split(name).root,
		),
	);
}

/** Headers and query parameters by which clients usually send what authenticates them. */
const SECRETS = [
	"authorization",
	"proxy-authorization",
	"cookie",
	"apikey",
	"access-token",
	"jwt",
];

/**
 * Checks that a template's variable exists and is no secret.
 *
 * @param variable e.g. `headers.x-tenant-id`
 * @param field the field that names it, for messages
 * @throws {Refusal} with the variables there are
 */
export function requireVariable(
	variable: string,
	field: string,
	{ apikey_header }: Pick<ConfigFields, "apikey_header">,
): void {
	const known = findVariable(variable);
	if (!known)
		throw misconfigured(
			`${field}: $(${variable}) is unknown; there are ${VARIABLES.map(({ name }) => name).join(", ")}`,
		);
	const isSecret = [...SECRETS, spelling(apikey_header)].includes(
		spelling(split(variable).member),
	);
	if (known.isSent && known.name.endsWith(".NAME") && isSecret)
		throw misconfigured(
			`${field}: $(${variable}) holds what authenticates the client, which no claim may repeat`,
		);
}

/**
 * What the values of variables follow from, besides the identity and the credential.
 *
 * @param variables names that `requireVariable` let pass
 */
export function variableQuestions(variables: readonly string[]): Question[] {
	return variables.flatMap((variable) => [
		...(findVariable(variable)?.asks(split(variable).member) ?? []),
	]);
}

/** A variable of a configuration, found once. */
export interface NamedVariable {
	/** As the template has it. */
	name: string;
	member: string;
	variable: Variable;
}

/** Finds variables that `requireVariable` let pass. */
export function namedVariables(names: readonly string[]): NamedVariable[] {
	return names.flatMap((name) => {
		const variable = findVariable(name);
		return variable ? [{ name, member: split(name).member, variable }] : [];
	});
}

/**
 * Reads the values of variables.
 *
 * @param variables distinct
 * @param sources facts with answers to `variableQuestions`
 * @returns values by name, without those there are none of
 * @throws {Refusal} when the client sends its API key or a token as one of them
 */
export function readVariables(
	variables: readonly NamedVariable[],
	sources: Sources,
): Record<string, unknown> {
	const { platform, identity } = sources;
	const values: Record<string, unknown> = {};
	for (const { name, member, variable } of variables) {
		const value = given(variable.read(sources, member));
		if (value === undefined) continue;
		if (variable.name === "claims.NAME") requireExact(value, platform);
		else requireWellFormed(platform, value, `$(${name})`);
		// Whatever the name: Kong's plugins can be told to find them anywhere.
		if (isCredential(variable, value, identity, platform))
			throw refused("secret_variable", { variable: name });
		values[name] = value;
	}
	return values;
}

/**
 * Names in a list of groups, each a text or an entity with a name; undefined when there are none. Lua has one
 * type for lists and objects, and Kong keeps each name twice: by its number and by itself.
 */
function groupNames(groups: unknown): string[] | undefined {
	if (!hasMembers(groups)) return undefined;
	const names: string[] = [];
	for (const group of Object.values(groups)) {
		const name = text(group) ?? text(hasMembers(group) ? group.name : "");
		if (name !== undefined && !names.includes(name)) names.push(name);
	}
	return names.length > 0 ? names : undefined;
}

/** Kong's plugin, where its credential shows which one it was (docs/auth-plugins.md). */
function pluginOf(
	method: Identity["method"],
	credential: Credential | undefined,
): string | undefined {
	switch (method) {
		case "basic":
			if (given(credential?.secret) !== undefined) return "hmac-auth";
			return entityOf(credential) ? "basic-auth" : "ldap-auth";
		case "jwt":
			return "jwt";
		case "key":
			return "key-auth";
		case "oauth2":
			return "oauth2";
		default:
			return undefined;
	}
}

/** Only entities of Kong have a UUID: the id that ldap-auth makes up is a hash of the password (Kong: ldap-auth). */
function entityOf(credential: Credential | undefined): Credential | undefined {
	return isUuid(text(credential?.id) ?? "") ? credential : undefined;
}

function isUuid(value: string): boolean {
	const groups = value.toLowerCase().split("-");
	return (
		groups.map((group) => `${group.length}`).join(" ") === "8 4 4 4 12" &&
		groups.every((group) => isHex(group))
	);
}

function isHex(value: string): boolean {
	for (let at = 0; at < value.length; at += 1)
		if (!"0123456789abcdef".includes(value.charAt(at))) return false;
	return true;
}

/** Shorter API keys are part of other values by chance. */
const UNMISTAKABLE_LENGTH = 16;

/** How credentials begin that clients send in headers (RFC 9110 §11.1). */
const SCHEMES = ["basic", "bearer", "token", "digest", "dpop"];

function isCredential(
	{ isGenerated }: Variable,
	value: unknown,
	{ method, clientId }: Identity,
	platform: Platform,
): boolean {
	if (typeof value !== "string") return false;
	// The jwt plugin has a `key` too: the issuer's name, which is not a secret.
	const hasApiKey =
		method === "key" &&
		!isGenerated &&
		(value === clientId ||
			(clientId.length >= UNMISTAKABLE_LENGTH && value.includes(clientId)));
	const trimmed = value.trim();
	const start = trimmed.toLowerCase();
	return (
		hasApiKey ||
		SCHEMES.some((scheme) => start.startsWith(`${scheme} `)) ||
		isToken(lastWord(trimmed), platform)
	);
}

/** A JWT may have its scheme before it. */
function lastWord(trimmed: string): string {
	let start = trimmed.length;
	while (start > 0 && !" \t\n\r".includes(trimmed.charAt(start - 1)))
		start -= 1;
	return trimmed.slice(start);
}

/** One spelling of a header's name, as Kong takes several for the same. */
function spelling(name: string): string {
	return name.toLowerCase().split("_").join("-");
}

function split(variable: string): { root: string; member: string } {
	const dot = variable.indexOf(".");
	return dot < 0
		? { root: variable, member: "" }
		: { root: variable.slice(0, dot), member: variable.slice(dot + 1) };
}
