import { decodeProtectedHeader } from "jose/decode/protected_header";
import type { ConfigFields } from "../../schema/fields";
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

/** What a template can name by its whole name. */
const KNOWN = [
	"auth.method",
	"auth.issuer",
	"consumer.id",
	"consumer.username",
	"consumer.custom_id",
	"consumer.tags",
	"consumer.groups",
	"credential.id",
	"service.id",
	"service.name",
	"route.id",
	"route.name",
	"client.ip",
	"request.id",
	"request.method",
	"request.path",
	"groups",
	...CERTIFICATE_MEMBERS.map((member) => `certificate.${member}`),
];

/** How credentials begin that clients send in headers (RFC 9110 §11.1). */
const SCHEME = /^\s*(basic|bearer|token|digest|dpop) /i;

/** What the client sends. */
const SENT = ["headers", "query_params"];

/** What a template can name any member of. */
const OPEN = [...SENT, "claims"];

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
	const { root, member } = split(variable);
	if (!KNOWN.includes(variable) && !(OPEN.includes(root) && member))
		throw new Misconfigured(
			`${field}: $(${variable}) is unknown; there are ${[...KNOWN, ...OPEN.map((name) => `${name}.NAME`)].join(", ")}`,
		);
	const isSecret = [...SECRETS, spelling(apikey_header)].includes(
		spelling(member),
	);
	if (SENT.includes(root) && isSecret)
		throw new Misconfigured(
			`${field}: $(${variable}) holds what authenticates the client, which no claim may repeat`,
		);
}

/** Where plugins leave the groups of whom they authenticated (Kong: acl/groups.lua). */
const GROUPS: Question[] = [
	{ about: "shared", name: "authenticated_groups" },
	{ about: "ctx", name: "authenticated_groups" },
];

/** Kong Enterprise has them. */
const CONSUMER_GROUPS = {
	variable: "consumer.groups",
	question: { about: "ctx", name: "authenticated_consumer_groups" },
} as const;

/** The id is that of Kong's log and of `X-Kong-Request-Id`, which no client chooses (Kong fact). */
function requestQuestion(member: string): {
	about: "method" | "path" | "variable";
	name?: string;
} & Question {
	if (member === "id") return { about: "variable", name: "kong_request_id" };
	return { about: member === "method" ? "method" : "path" };
}

/**
 * What the values of variables follow from, besides the identity and the credential.
 *
 * @param variables names that `requireVariable` let pass
 */
export function variableQuestions(variables: readonly string[]): Question[] {
	return variables.flatMap((variable): Question[] => {
		const { root, member } = split(variable);
		if (variable === CONSUMER_GROUPS.variable)
			return [CONSUMER_GROUPS.question];
		switch (root) {
			case "headers":
				return [{ about: "header", name: member }];
			case "query_params":
				return [{ about: "query", name: member }];
			case "client":
				return [{ about: "forwarded_ip" }];
			case "request":
				return [requestQuestion(member)];
			case "certificate":
				return [...certificateQuestions];
			case "groups":
				return GROUPS;
			case "service":
			case "route":
				return [{ about: root }];
			default:
				return [];
		}
	});
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
		const value = read(variable, facts, identity) ?? undefined;
		if (value === undefined) continue;
		if (variable.startsWith("claims.")) requireExact(value);
		else requireWellFormed(value, `$(${variable})`);
		// Whatever the name: Kong's plugins can be told to find them anywhere.
		if (isCredential(value, identity))
			throw refused("secret_variable", { variable });
		values.set(variable, value);
	}
	return values;
}

function read(variable: string, facts: Facts, identity: Identity): unknown {
	const { root, member } = split(variable);
	switch (variable) {
		case "auth.method":
			return identity.method;
		case "auth.issuer":
			return identity.issuer;
		case "groups":
			return groupNames(
				facts.get("shared", "authenticated_groups") ??
					facts.get("ctx", "authenticated_groups"),
			);
		case CONSUMER_GROUPS.variable:
			return (
				identity.consumer &&
				groupNames(facts.get("ctx", CONSUMER_GROUPS.question.name))
			);
	}
	switch (root) {
		case "certificate":
			return memberAt(verifiedCertificate(facts), member);
		case "headers":
			return facts.get("header", member);
		case "query_params":
			return facts.get("query", member);
		case "client":
			return facts.get("forwarded_ip");
		case "request": {
			const { about, name } = requestQuestion(member);
			return facts.get(about, name);
		}
		case "claims":
			return memberAt(identity.tokenClaims, member);
		case "consumer":
			return memberAt(identity.consumer, member);
		case "credential":
			return memberAt(entityOf(facts.get("credential")), member);
		case "service":
		case "route":
			return memberAt(facts.get(root), member);
		default:
			return undefined;
	}
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

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Only entities of Kong have a UUID: the id that ldap-auth makes up is a hash of the password (Kong: ldap-auth). */
function entityOf(credential: Credential | undefined): Credential | undefined {
	return UUID.test(String(credential?.id)) ? credential : undefined;
}

function isCredential(value: unknown, { method, clientId }: Identity): boolean {
	if (typeof value !== "string") return false;
	// The jwt plugin has a `key` too: the issuer's name, which is no secret.
	const hasApiKey = method === "key" && value.includes(clientId);
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
