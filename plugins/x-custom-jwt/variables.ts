import { decodeProtectedHeader } from "jose/decode/protected_header";
import type { ConfigFields } from "../../schema/fields";
import { Misconfigured, refused } from "./errors";
import type { Credential, Facts, Question } from "./facts";
import type { Identity } from "./identity";

/** Members of Kong's entities that a template can name. */
const ENTITY_MEMBERS = [
	"consumer.id",
	"consumer.username",
	"consumer.custom_id",
	"consumer.tags",
	"credential.id",
	"service.id",
	"service.name",
	"route.id",
	"route.name",
	"client.ip",
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
	if (!ENTITY_MEMBERS.includes(variable) && !(OPEN.includes(root) && member))
		throw new Misconfigured(
			`${field}: $(${variable}) is unknown; there are ${[...ENTITY_MEMBERS, ...OPEN.map((name) => `${name}.NAME`)].join(", ")}`,
		);
	const isSecret = [...SECRETS, spelling(apikey_header)].includes(
		spelling(member),
	);
	if (SENT.includes(root) && isSecret)
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
	return variables.flatMap((variable): Question[] => {
		const { root, member } = split(variable);
		switch (root) {
			case "headers":
				return [{ about: "header", name: member }];
			case "query_params":
				return [{ about: "query", name: member }];
			case "client":
				return [{ about: "forwarded_ip" }];
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
		// Whatever the name: Kong's plugins can be told to find them anywhere.
		if (isCredential(value, identity))
			throw refused("secret_variable", { variable });
		values.set(variable, value);
	}
	return values;
}

function read(variable: string, facts: Facts, identity: Identity): unknown {
	const { root, member } = split(variable);
	switch (root) {
		case "headers":
			return facts.get("header", member);
		case "query_params":
			return facts.get("query", member);
		case "client":
			return facts.get("forwarded_ip");
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

/** A member by its whole name, which may have dots in it, as URLs have; else one of a member. */
function memberAt(value: unknown, path: string): unknown {
	if (typeof value !== "object" || value === null) return undefined;
	if (Object.hasOwn(value, path)) return value[path as keyof typeof value];
	for (
		let dot = path.indexOf(".");
		dot >= 0;
		dot = path.indexOf(".", dot + 1)
	) {
		const name = path.slice(0, dot);
		if (!Object.hasOwn(value, name)) continue;
		const rest = path.slice(dot + 1);
		const found = memberAt(value[name as keyof typeof value], rest);
		if (found !== undefined) return found;
	}
	return undefined;
}
