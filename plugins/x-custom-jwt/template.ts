import { Misconfigured } from "./errors";

/** Gives a variable's value; `undefined` when there is none. */
export type Lookup = (variable: string) => unknown;

/** A text of the configuration whose variables are filled in for each request. */
export interface Template {
	/** Names of its variables, e.g. `headers.x-tenant-id`. */
	variables: string[];
	/** Those of them that have no default. */
	required: string[];
	/**
	 * Fills in the variables.
	 * @returns `undefined` when one of them has neither a value nor a default
	 */
	resolve(lookup: Lookup): unknown;
}

const VARIABLE =
	/\$\(\s*([^\s()'"]+)(?:\s+or\s+(?:'([^']*)'|"([^"]*)"))?\s*\)/y;

/**
 * Parses a text with variables in Kong's syntax, `$(name)` and `$(name or 'default')`. A text that is
 * one variable and nothing else takes the type of its value; within a longer text a value that is no
 * text is written as JSON.
 *
 * @param text e.g. `tenant-$(headers.x-tenant-id or 'none')`
 * @param field where it stands, for messages, e.g. `config/subject`
 * @throws {Misconfigured} when a `$(` does not begin a variable
 */
export function parseTemplate(text: string, field: string): Template {
	const parts: Template[] = [];
	let end = 0;
	for (
		let start = text.indexOf("$(");
		start >= 0;
		start = text.indexOf("$(", end)
	) {
		VARIABLE.lastIndex = start;
		const match = VARIABLE.exec(text);
		if (!match)
			throw new Misconfigured(
				`${field}: expected $(name) or $(name or 'default') at character ${start + 1}`,
			);
		if (start > end) parts.push(literal(text.slice(end, start)));
		const [whole, name = "", inQuotes, inDoubleQuotes] = match;
		parts.push(variable(name, inQuotes ?? inDoubleQuotes));
		end = start + whole.length;
	}
	if (end < text.length || parts.length === 0)
		parts.push(literal(text.slice(end)));
	const [only] = parts;
	return only && parts.length === 1
		? only
		: combine(parts, (values) => values.map(asText).join(""));
}

/**
 * Parses a value that may be JSON, as in Kong's jwt-signer; every text in it is a template, and a text
 * that is not JSON is one itself.
 *
 * @param text e.g. `true`, `["a","$(consumer.username)"]`, `$(consumer.tags)`
 * @param field where it stands, for messages, e.g. `config/set_claims/roles`
 * @throws {Misconfigured} when a template is none, or a number cannot be kept exactly
 */
export function parseValue(text: string, field: string): Template {
	let json: unknown;
	try {
		json = JSON.parse(text);
	} catch {
		return parseTemplate(text, field);
	}
	return compile(json, field);
}

const MAX_DEPTH = 32;

function compile(value: unknown, field: string, depth = 0): Template {
	if (depth > MAX_DEPTH)
		throw new Misconfigured(`${field}: nested deeper than ${MAX_DEPTH}`);
	if (typeof value === "string") return parseTemplate(value, field);
	if (typeof value === "number" && Math.abs(value) > Number.MAX_SAFE_INTEGER)
		throw new Misconfigured(
			`${field}: a number beyond 2^53 cannot be kept exactly; quote it twice, '"…"', to make it a text`,
		);
	if (typeof value !== "object" || value === null) return literal(value);
	const names = Object.keys(value);
	const members = Object.values(value).map((member) =>
		compile(member, field, depth + 1),
	);
	return combine(members, (values) =>
		Array.isArray(value)
			? values
			: // Defines members rather than sets them, `__proto__` too.
				Object.fromEntries(names.map((name, index) => [name, values[index]])),
	);
}

function literal(value: unknown): Template {
	return { variables: [], required: [], resolve: () => value };
}

function variable(name: string, byDefault: string | undefined): Template {
	return {
		variables: [name],
		required: byDefault === undefined ? [name] : [],
		resolve: (lookup) => lookup(name) ?? byDefault,
	};
}

function combine(
	parts: Template[],
	join: (values: unknown[]) => unknown,
): Template {
	return {
		variables: parts.flatMap(({ variables }) => variables),
		required: parts.flatMap(({ required }) => required),
		resolve(lookup) {
			const values = parts.map((part) => part.resolve(lookup));
			return values.includes(undefined) ? undefined : join(values);
		},
	};
}

function asText(value: unknown): string {
	return typeof value === "string" ? value : JSON.stringify(value);
}
