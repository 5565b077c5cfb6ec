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

/** `$(name`, where a part of the name that has any characters stands in brackets: `claims['full name']`. */
const BEGINNING =
	/\$\(\s*((?:[^\s()'"[]|\[(?!['"])|\[(?:'[^']*'|"[^"]*")\])+)/y;
const IN_BRACKETS = /\[(?:'([^']*)'|"([^"]*)")\]/g;
const END = /\s*\)/y;
const TEXT_DEFAULT = /\s+or\s+(?:'([^']*)'|"([^"]*)")\s*\)/y;
const JSON_DEFAULT = /\s+or\s+/y;

/** A variable in a text, and where the text goes on behind it. */
interface Found {
	template: Template;
	end: number;
}

/**
 * Parses a text with variables in Kong's syntax, `$(name)` and `$(name or 'default')`, whose default may
 * also be JSON, `$(name or [])`. A text that is one variable and nothing else takes the type of its
 * value; within a longer text a value that is no text is written as JSON.
 *
 * @param text e.g. `tenant-$(headers.x-tenant-id or 'none')`
 * @param field where it stands, for messages, e.g. `config/subject`
 * @throws {Misconfigured} when a `$(` does not begin a variable, or the default is a number that cannot be
 * kept exactly
 */
export function parseTemplate(text: string, field: string): Template {
	const parts: Template[] = [];
	let end = 0;
	for (
		let start = text.indexOf("$(");
		start >= 0;
		start = text.indexOf("$(", end)
	) {
		const found = variableAt(text, start, field);
		if (!found)
			throw new Misconfigured(
				`${field}: expected $(name), $(name or 'text') or $(name or JSON) at character ${start + 1}`,
			);
		if (start > end) parts.push(literal(text.slice(end, start)));
		parts.push(found.template);
		end = found.end;
	}
	if (end < text.length || parts.length === 0)
		parts.push(literal(text.slice(end)));
	const [only] = parts;
	return only && parts.length === 1
		? only
		: combine(parts, (values) => values.map(asText).join(""));
}

function variableAt(
	text: string,
	start: number,
	field: string,
): Found | undefined {
	const beginning = matchAt(BEGINNING, text, start);
	if (!beginning) return undefined;
	const name = (beginning[1] ?? "").replace(
		IN_BRACKETS,
		(_, single, double) => `.${single ?? double}`,
	);
	const afterName = start + beginning[0].length;
	const end = matchAt(END, text, afterName);
	if (end) return { template: variable(name), end: afterName + end[0].length };
	const inQuotes = matchAt(TEXT_DEFAULT, text, afterName);
	if (inQuotes)
		return {
			template: variable(name, literal(inQuotes[1] ?? inQuotes[2])),
			end: afterName + inQuotes[0].length,
		};
	const or = matchAt(JSON_DEFAULT, text, afterName);
	if (!or) return undefined;
	const json = jsonBefore(text, afterName + or[0].length);
	return (
		json && {
			template: variable(name, compile(json.value, field)),
			end: json.end,
		}
	);
}

/** The JSON from a place up to a closing parenthesis, which may be one of several. */
function jsonBefore(
	text: string,
	start: number,
): { value: unknown; end: number } | undefined {
	for (
		let close = text.indexOf(")", start);
		close >= 0;
		close = text.indexOf(")", close + 1)
	)
		try {
			return { value: JSON.parse(text.slice(start, close)), end: close + 1 };
		} catch {
			// It ends at a later one, if at all.
		}
	return undefined;
}

function matchAt(
	pattern: RegExp,
	text: string,
	start: number,
): RegExpExecArray | null {
	pattern.lastIndex = start;
	return pattern.exec(text);
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

function variable(name: string, byDefault?: Template): Template {
	return {
		variables: [name, ...(byDefault?.variables ?? [])],
		required: byDefault ? byDefault.required : [name],
		resolve: (lookup) => lookup(name) ?? byDefault?.resolve(lookup),
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
