import { decodeProtectedHeader } from "jose/decode/protected_header";
import type { ConfigFields, Varies } from "../../schema/fields";
import {
	CERTIFICATE_MEMBERS,
	certificateQuestions,
	verifiedCertificate,
} from "./certificate";
import { Misconfigured, refused } from "./errors";
import type { Credential, Facts, Question } from "./facts";
import type { Identity } from "./identity";
import { requireExact } from "./incoming-token";
import { memberAt } from "./member-at";
import { requireWellFormed, text } from "./text";

/** What values of variables are read from. */
interface Sources {
	/** With answers to the questions of the variable, and to `credential`. */
	facts: Facts;
	identity: Identity;
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
	asks(member: string): readonly Question[];
	/** Returns the value; null or undefined when there is none. */
	read(sources: Sources, member: string): unknown;
	/** Whether no client can choose the value, so that `client_id` may be made of it. */
	isTrusted: boolean;
	/** Whether the client sends the value as it likes. */
	isSent: boolean;
	varies: Varies;
}

/** What is known of whom Kong authenticated. */
const OF_IDENTITY = {
	asks: () => [],
	isTrusted: true,
	isSent: false,
	varies: "credential",
} as const;

/** What the client sends with each request. */
const OF_CLIENT = {
	isTrusted: false,
	isSent: true,
	varies: "request",
} as const;

/** Where plugins leave the groups of whom they authenticated (Kong: acl/groups.lua). */
const SHARED_GROUPS = {
	about: "shared",
	name: "authenticated_groups",
} as const;
const CTX_GROUPS = { about: "ctx", name: "authenticated_groups" } as const;

/** Kong Enterprise has them. */
const CONSUMER_GROUPS = {
	about: "ctx",
	name: "authenticated_consumer_groups",
} as const;

/** The id is that of Kong's log and of `X-Kong-Request-Id`, which no client chooses (Kong fact). */
const REQUEST_ID = { about: "variable", name: "kong_request_id" } as const;

/**
 * All that a template can name, in the order of messages and docs. Code, the reuse of tokens, warnings and
 * `client_id` follow from it.
 */
export const VARIABLES: readonly Variable[] = [
	{
		name: "auth.method",
		...OF_IDENTITY,
		read: ({ identity }) => identity.method,
	},
	{
		name: "auth.plugin",
		...OF_IDENTITY,
		read: ({ facts, identity }) =>
			pluginOf(identity.method, facts.get("credential")),
	},
	{
		name: "auth.issuer",
		...OF_IDENTITY,
		read: ({ identity }) => identity.issuer,
	},
	...members("consumer", ["id", "username", "custom_id", "tags"], {
		...OF_IDENTITY,
		read: ({ identity }, member) => memberAt(identity.consumer, member),
	}),
	{
		name: "consumer.groups",
		asks: () => [CONSUMER_GROUPS],
		read: ({ facts, identity }) =>
			identity.consumer &&
			groupNames(facts.get(CONSUMER_GROUPS.about, CONSUMER_GROUPS.name)),
		isTrusted: true,
		isSent: false,
		varies: "request",
	},
	{
		name: "credential.id",
		...OF_IDENTITY,
		read: ({ facts }, member) =>
			memberAt(entityOf(facts.get("credential")), member),
	},
	...members("service", ["id", "name"], {
		asks: () => [{ about: "service" }],
		read: ({ facts }, member) => memberAt(facts.get("service"), member),
		isTrusted: true,
		isSent: false,
		varies: "service",
	}),
	...members("route", ["id", "name"], {
		asks: () => [{ about: "route" }],
		read: ({ facts }, member) => memberAt(facts.get("route"), member),
		isTrusted: true,
		isSent: false,
		varies: "route",
	}),
	{
		name: "client.ip",
		asks: () => [{ about: "forwarded_ip" }],
		read: ({ facts }) => facts.get("forwarded_ip"),
		isTrusted: false,
		isSent: false,
		varies: "request",
	},
	{
		name: "request.id",
		asks: () => [REQUEST_ID],
		read: ({ facts }) => facts.get(REQUEST_ID.about, REQUEST_ID.name),
		isTrusted: false,
		isSent: false,
		varies: "request",
	},
	{
		name: "request.method",
		...OF_CLIENT,
		asks: () => [{ about: "method" }],
		read: ({ facts }) => facts.get("method"),
	},
	{
		name: "request.path",
		...OF_CLIENT,
		asks: () => [{ about: "path" }],
		read: ({ facts }) => facts.get("path"),
	},
	{
		name: "groups",
		asks: () => [SHARED_GROUPS, CTX_GROUPS],
		read: ({ facts }) =>
			groupNames(
				facts.get(SHARED_GROUPS.about, SHARED_GROUPS.name) ??
					facts.get(CTX_GROUPS.about, CTX_GROUPS.name),
			),
		isTrusted: false,
		isSent: false,
		varies: "request",
	},
	...members("certificate", CERTIFICATE_MEMBERS, {
		asks: () => certificateQuestions,
		read: ({ facts }, member) => memberAt(verifiedCertificate(facts), member),
		isTrusted: true,
		isSent: false,
		varies: "request",
	}),
	{
		name: "headers.NAME",
		...OF_CLIENT,
		asks: (name) => [{ about: "header", name }],
		read: ({ facts }, name) => facts.get("header", name),
	},
	{
		name: "query_params.NAME",
		...OF_CLIENT,
		asks: (name) => [{ about: "query", name }],
		read: ({ facts }, name) => facts.get("query", name),
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

const BY_NAME = new Map(VARIABLES.map((one) => [one.name, one]));

/**
 * Finds a variable by what a template calls it.
 *
 * @param variable e.g. `headers.x-tenant-id`, which is `headers.NAME`
 * @returns undefined when there is none
 */
export function findVariable(variable: string): Variable | undefined {
	const { root, member } = split(variable);
	return (
		BY_NAME.get(variable) ??
		(member === "" ? undefined : BY_NAME.get(`${root}.NAME`))
	);
}

/** Returns what the variables begin with that no client can choose, each once. */
export function trustedRoots(): string[] {
	const roots = VARIABLES.filter(({ isTrusted }) => isTrusted).map(
		({ name }) => split(name).root,
	);
	return [...new Set(roots)];
}

/** How credentials begin that clients send in headers (RFC 9110 §11.1). */
const SCHEME = /^\s*(basic|bearer|token|digest|dpop) /i;

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
 * @throws {Misconfigured} with the variables there are
 */
export function requireVariable(
	variable: string,
	field: string,
	{ apikey_header }: Pick<ConfigFields, "apikey_header">,
): void {
	const known = findVariable(variable);
	if (!known)
		throw new Misconfigured(
			`${field}: $(${variable}) is unknown; there are ${VARIABLES.map(({ name }) => name).join(", ")}`,
		);
	const isSecret = [...SECRETS, spelling(apikey_header)].includes(
		spelling(split(variable).member),
	);
	if (known.isSent && known.name.endsWith(".NAME") && isSecret)
		throw new Misconfigured(
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

/**
 * Reads the values of variables.
 *
 * @param variables distinct names that `requireVariable` let pass
 * @param facts with answers to `variableQuestions`
 * @returns values by name, without those there are none of
 * @throws {Refusal} when the client sends its API key or a token as one of them
 */
export function readVariables(
	variables: readonly string[],
	facts: Facts,
	identity: Identity,
): Map<string, unknown> {
	const values = new Map<string, unknown>();
	for (const variable of variables) {
		const { member } = split(variable);
		const value =
			findVariable(variable)?.read({ facts, identity }, member) ?? undefined;
		if (value === undefined) continue;
		if (variable.startsWith("claims.")) requireExact(value);
		else requireWellFormed(value, `$(${variable})`);
		// Whatever the name: Kong's plugins can be told to find them anywhere.
		if (isCredential(variable, value, identity))
			throw refused("secret_variable", { variable });
		values.set(variable, value);
	}
	return values;
}

/**
 * Names in a list of groups, each a text or an entity with a name; undefined when there are none. Lua has one
 * type for lists and objects, and Kong keeps each name twice: by its number and by itself.
 */
function groupNames(groups: unknown): string[] | undefined {
	if (typeof groups !== "object" || groups === null) return undefined;
	const names = Object.values(groups)
		.map((group) => text(group) ?? text(group?.name))
		.filter((name) => name !== undefined);
	return names.length > 0 ? [...new Set(names)] : undefined;
}

/** Kong's plugin, where its credential shows which one it was (docs/auth-plugins.md). */
function pluginOf(
	method: Identity["method"],
	credential: Credential | undefined,
): string | undefined {
	switch (method) {
		case "basic":
			if (credential?.secret !== undefined) return "hmac-auth";
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

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Only entities of Kong have a UUID: the id that ldap-auth makes up is a hash of the password (Kong: ldap-auth). */
function entityOf(credential: Credential | undefined): Credential | undefined {
	return UUID.test(String(credential?.id)) ? credential : undefined;
}

/** Values that Kong generates, so that they have an API key in them by chance only. */
const GENERATED = [
	"auth.method",
	"auth.plugin",
	"client.ip",
	"consumer.id",
	"credential.id",
	"request.id",
	"request.method",
	"route.id",
	"service.id",
];

/** Shorter API keys are part of other values by chance. */
const UNMISTAKABLE_LENGTH = 16;

function isCredential(
	variable: string,
	value: unknown,
	{ method, clientId }: Identity,
): boolean {
	if (typeof value !== "string") return false;
	// The jwt plugin has a `key` too: the issuer's name, which is not a secret.
	const hasApiKey =
		method === "key" &&
		!GENERATED.includes(variable) &&
		(value === clientId ||
			(clientId.length >= UNMISTAKABLE_LENGTH && value.includes(clientId)));
	return hasApiKey || SCHEME.test(value) || isToken(value);
}

/** Whether it is a JWT in compact serialization, signed or encrypted, with or without its scheme. */
function isToken(value: string): boolean {
	const token = value.trim().split(/\s+/).at(-1) ?? "";
	if (!/^[^.]+\.[^.]*\./.test(token)) return false;
	try {
		decodeProtectedHeader(token);
		return true;
	} catch {
		return false;
	}
}

/** One spelling of a header's name, as Kong takes several for the same. */
function spelling(name: string): string {
	return name.toLowerCase().replaceAll("_", "-");
}

function split(variable: string): { root: string; member: string } {
	const dot = variable.indexOf(".");
	return dot < 0
		? { root: variable, member: "" }
		: { root: variable.slice(0, dot), member: variable.slice(dot + 1) };
}
