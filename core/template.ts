/** Texts of the configuration whose variables are filled in for each request. */
import type { Claims, Platform } from "./platform";
import { misconfigured } from "./refusals";
import { endOfString, given, hasMembers, MAX_SAFE_INTEGER } from "./values";

/** Gives a variable's value; `undefined` when there is none. */
export type Lookup = (variable: string) => unknown;

/** A text of the configuration, parsed. */
export interface Template {
	/** Names of its variables, e.g. `headers.x-tenant-id`. */
	variables: string[];
	/** Those of them that have neither a value nor anything else to take in their place. */
	missing: (lookup: Lookup) => string[];
	/**
	 * Fills in the variables.
	 * @returns `undefined` when one of them is missing
	 */
	resolve: (lookup: Lookup) => unknown;
}

/** Where a text is read, and what is needed for it. */
interface Reader {
	text: string;
	/** The next character. */
	at: number;
	/** Where the text stands, for messages, e.g. `config/subject`. */
	field: string;
	platform: Platform;
}

/**
 * Parses a text with variables: `$(name)`; `$(name or other.name or 'default')`, whose default may also be JSON,
 * `$(name or [])`; and `$(name | join ' ')` or `$(name | split ' ')`, of lists and texts. A text that is one
 * variable and nothing else takes the type of its value; within a longer text a value that is no text is written as
 * JSON.
 *
 * @param text e.g. `tenant-$(headers.x-tenant-id or 'none')`
 * @param field where it stands, for messages, e.g. `config/subject`
 * @throws {Refusal} when a `$(` does not begin a variable, or the default is a number that cannot be kept exactly
 */
export function parseTemplate(
	text: string,
	field: string,
	platform: Platform,
): Template {
	requireParentheses(text, field);
	const reader: Reader = { text, at: 0, field, platform };
	const parts: Template[] = [];
	let start = text.indexOf("$(");
	while (start >= 0) {
		if (start > reader.at) parts.push(constant(text.slice(reader.at, start)));
		reader.at = start + 2;
		parts.push(readExpression(reader) ?? failAt(reader, start));
		start = text.indexOf("$(", reader.at);
	}
	if (reader.at < text.length || parts.length === 0)
		parts.push(constant(text.slice(reader.at)));
	const [only] = parts;
	if (only && parts.length === 1) return only;
	return combine(parts, (values) =>
		values
			.map((value) =>
				typeof value === "string" ? value : platform.encodeJson(value),
			)
			.join(""),
	);
}

function failAt({ field }: Reader, start: number): never {
	throw misconfigured(
		`${field}: expected $(name), $(name or other), $(name or 'text'), $(name or JSON), $(name | join 'text') or $(name | split 'text') at character ${start + 1}`,
	);
}

/** @throws {Refusal} for a variable as others write it: `${name}` and `$name` */
function requireParentheses(text: string, field: string): void {
	let dollar = text.indexOf("$");
	while (dollar >= 0) {
		const behind = text.slice(dollar + 1);
		const brace = behind.startsWith("{") ? behind.indexOf("}") : -1;
		const inBraces = behind.slice(1, brace);
		if (brace > 1 && nameIn(inBraces) === inBraces)
			throw misconfigured(
				`${field}: \${${inBraces}} is no variable; write $(${inBraces})`,
			);
		const name = nameIn(behind);
		// Elsewhere it may be a price or part of a password.
		if (name.includes(".") || (name !== "" && `$${name}` === text))
			throw misconfigured(
				`${field}: $${name} is no variable; write $(${name})`,
			);
		dollar = text.indexOf("$", dollar + 1);
	}
}

const LETTERS = "abcdefghijklmnopqrstuvwxyz";

function isLetter(character: string): boolean {
	return character !== "" && LETTERS.includes(character.toLowerCase());
}

/** What of a text's beginning looks like a variable's name. */
function nameIn(text: string): string {
	if (!isLetter(text.charAt(0))) return "";
	let end = 1;
	while (
		end < text.length &&
		`${LETTERS}0123456789._-`.includes(text.charAt(end).toLowerCase())
	)
		end += 1;
	// A sentence may end behind it.
	while (text.charAt(end - 1) === ".") end -= 1;
	return text.slice(0, end);
}

/** What stands in `$(…)`, the closing parenthesis too; undefined when it is nothing of the kind. */
function readExpression(reader: Reader): Template | undefined {
	let template = readVariable(reader);
	let isOpen = true;
	while (template && isOpen && skipWord(reader, "or")) {
		const fixed = readFixed(reader);
		const next: Template | undefined = fixed ?? readVariable(reader);
		template = next && either(template, next);
		isOpen = fixed === undefined;
	}
	skipSpace(reader);
	while (template && skip(reader, "|")) {
		template = readFilter(reader, template);
		skipSpace(reader);
	}
	return skip(reader, ")") ? template : undefined;
}

function readVariable(reader: Reader): Template | undefined {
	skipSpace(reader);
	if (!isLetter(reader.text.charAt(reader.at))) return undefined;
	const name = readName(reader);
	return name === "" ? undefined : variable(name);
}

/** Characters that end a name. */
const AFTER_NAMES = " \t\n\r()'\"|";

/** A name, where a part that has any characters stands in brackets: `claims['full name']`. */
function readName(reader: Reader): string {
	let name = "";
	while (reader.at < reader.text.length) {
		const character = reader.text.charAt(reader.at);
		const next = reader.text.charAt(reader.at + 1);
		if (character === "[" && (next === "'" || next === '"')) {
			reader.at += 1;
			const part = readQuoted(reader);
			if (part === undefined || !skip(reader, "]")) return "";
			name += `.${part}`;
		} else if (AFTER_NAMES.includes(character)) {
			return name;
		} else {
			name += character;
			reader.at += 1;
		}
	}
	return name;
}

/** A text in single or double quotes. */
function readQuoted(reader: Reader): string | undefined {
	const quote = reader.text.charAt(reader.at);
	if (quote !== "'" && quote !== '"') return undefined;
	const end = reader.text.indexOf(quote, reader.at + 1);
	if (end < 0) return undefined;
	const quoted = reader.text.slice(reader.at + 1, end);
	reader.at = end + 1;
	return quoted;
}

/** A text in quotes, or JSON; undefined when neither stands here. */
function readFixed(reader: Reader): Template | undefined {
	skipSpace(reader);
	const { text, at, field, platform } = reader;
	const first = text.charAt(at);
	if (first === "'") {
		const quoted = readQuoted(reader);
		return quoted === undefined ? undefined : constant(quoted);
	}
	const end = first === '"' ? endOfString(text, at) : endOfJson(text, at);
	const json = text.slice(at, end);
	const value = mayBeJson(json) ? decoded(json, platform) : undefined;
	if (value === undefined) {
		const quoted = readQuoted(reader);
		return quoted === undefined ? undefined : constant(quoted);
	}
	reader.at = end;
	return first === '"'
		? constant(value.json)
		: compile(value.json, field, platform);
}

function mayBeJson(text: string): boolean {
	const first = text.charAt(0);
	return (
		["true", "false", "null"].includes(text) ||
		(first !== "" && '[{"-0123456789'.includes(first))
	);
}

/** Where a list, an object or a word has ended. */
function endOfJson(text: string, start: number): number {
	let depth = 0;
	let at = start;
	while (at < text.length) {
		const character = text.charAt(at);
		if (depth === 0 && AFTER_NAMES.includes(character)) return at;
		if (character === '"') {
			at = endOfString(text, at);
		} else {
			if ("[{".includes(character)) depth += 1;
			if ("]}".includes(character)) depth -= 1;
			at += 1;
			if (depth === 0 && "]}".includes(character)) return at;
		}
	}
	return at;
}

function decoded(
	json: string,
	platform: Platform,
): { json: unknown } | undefined {
	try {
		return { json: platform.decodeJson(json) };
	} catch {
		return undefined;
	}
}

/** `join 'text'` of a list, `split 'text'` of a text; what is of another kind stays as it is. */
function readFilter(reader: Reader, of: Template): Template | undefined {
	const isJoin = skipWord(reader, "join");
	if (!isJoin && !skipWord(reader, "split")) return undefined;
	skipSpace(reader);
	const separator = readQuoted(reader);
	if (separator === undefined || separator === "") return undefined;
	const { platform } = reader;
	const filter = (value: unknown): unknown => {
		if (isJoin) return joined(value, separator, platform);
		return typeof value === "string"
			? split(value, separator, platform)
			: value;
	};
	return { ...of, resolve: (lookup) => filter(of.resolve(lookup)) };
}

function joined(
	value: unknown,
	separator: string,
	platform: Platform,
): unknown {
	// In Lua an empty object looks like a list.
	if (!Array.isArray(value) || platform.encodeJson(value) === "{}")
		return value;
	return value
		.map((one: unknown) =>
			typeof one === "string" ? one : platform.encodeJson(one),
		)
		.join(separator);
}

/** The parts of a text that are not empty. */
function split(value: string, separator: string, platform: Platform): unknown {
	const parts = value.split(separator).filter((part) => part !== "");
	// In Lua a list without anything in it would become an object.
	return parts.length > 0 ? parts : platform.decodeJson("[]");
}

function skipSpace(reader: Reader): void {
	while (
		reader.at < reader.text.length &&
		" \t\n\r".includes(reader.text.charAt(reader.at))
	)
		reader.at += 1;
}

function skip(reader: Reader, character: string): boolean {
	if (reader.text.charAt(reader.at) !== character) return false;
	reader.at += 1;
	return true;
}

/** Skips a word that has space, or a quote, behind it. */
function skipWord(reader: Reader, word: string): boolean {
	const before = reader.at;
	skipSpace(reader);
	const end = reader.at + word.length;
	const next = reader.text.charAt(end);
	if (
		reader.text.slice(reader.at, end) === word &&
		next !== "" &&
		" \t\n\r'\"".includes(next)
	) {
		reader.at = end;
		return true;
	}
	reader.at = before;
	return false;
}

/**
 * Parses the value of a claim. It is JSON when it is a list, an object, a text in double quotes, `true`, `false`,
 * `null`, or an integer as JSON writes it; every text in it is a template. Anything else is a template itself, so
 * that a version `1.10` and a telephone number `0049` lose no digit.
 *
 * @param text e.g. `true`, `["a","$(consumer.username)"]`, `$(consumer.tags)`
 * @param field where it stands, for messages, e.g. `config/set_claims/roles`
 * @throws {Refusal} when a template is none, or a number cannot be kept exactly
 */
export function parseValue(
	text: string,
	field: string,
	platform: Platform,
): Template {
	const trimmed = text.trim();
	const value = mayBeJson(trimmed) ? decoded(trimmed, platform) : undefined;
	const isOther =
		value === undefined ||
		(typeof value.json === "number" &&
			!isInteger(value.json, trimmed, platform));
	return isOther
		? parseTemplate(text, field, platform)
		: compile(value.json, field, platform);
}

function isInteger(value: number, text: string, platform: Platform): boolean {
	return (
		Math.floor(value) === value &&
		Math.abs(value) <= MAX_SAFE_INTEGER &&
		platform.encodeJson(value) === text
	);
}

const MAX_DEPTH = 32;

function compile(
	value: unknown,
	field: string,
	platform: Platform,
	depth = 0,
): Template {
	if (depth > MAX_DEPTH)
		throw misconfigured(`${field}: nested deeper than ${MAX_DEPTH}`);
	if (typeof value === "string") return parseTemplate(value, field, platform);
	if (typeof value === "number" && Math.abs(value) > MAX_SAFE_INTEGER)
		throw misconfigured(
			`${field}: a number beyond 2^53 cannot be kept exactly; quote it to make it a text`,
		);
	// An empty list and an empty object are one in Lua: either stays what it is.
	if (!hasMembers(value) || Object.keys(value).length === 0)
		return constant(value);
	if (Array.isArray(value))
		return combine(
			value.map((one: unknown) => compile(one, field, platform, depth + 1)),
			(values) => values,
		);
	const members = Object.entries(value);
	return combine(
		members.map(([, member]) => compile(member, field, platform, depth + 1)),
		(values) =>
			platform.object(
				members.map(([name], index): Claims[number] => [name, values[index]]),
			),
	);
}

function constant(value: unknown): Template {
	return { variables: [], missing: () => [], resolve: () => value };
}

function variable(name: string): Template {
	return {
		variables: [name],
		missing: (lookup) => (given(lookup(name)) === undefined ? [name] : []),
		resolve: (lookup) => given(lookup(name)),
	};
}

function either(first: Template, second: Template): Template {
	return {
		variables: [...first.variables, ...second.variables],
		missing: (lookup) => {
			const missing = second.missing(lookup);
			return missing.length > 0 && first.resolve(lookup) === undefined
				? [...first.missing(lookup), ...missing]
				: [];
		},
		resolve: (lookup) => first.resolve(lookup) ?? second.resolve(lookup),
	};
}

function combine(
	parts: Template[],
	join: (values: unknown[]) => unknown,
): Template {
	return {
		variables: parts.flatMap(({ variables }) => variables),
		missing: (lookup) => parts.flatMap((part) => part.missing(lookup)),
		resolve: (lookup) => {
			const values: unknown[] = [];
			for (const part of parts) {
				const value = part.resolve(lookup);
				if (value === undefined) return undefined;
				values.push(value);
			}
			return join(values);
		},
	};
}
