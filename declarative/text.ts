import {
	Composer,
	CST,
	type Document,
	isAlias,
	isMap,
	isScalar,
	isSeq,
	LineCounter,
	type Node,
	type Pair,
	Parser,
	type Scalar,
	visit,
	type YAMLMap,
} from "yaml";
import { Unreadable } from "./read-file";

/** A declarative configuration file, for DB-less Kong or decK, that can be edited in place. */
export interface SourceFile {
	path: string;
	text: string;
	document: Document;
	/** The text in tokens, down to white space and comments. */
	tokens: CST.Token[];
	lines: LineCounter;
	/** What makes it unreadable; when there is any, nothing else is known of the file. */
	faults: { message: string; offset: number }[];
}

/** A place in a file, as editors and compilers write it: both from 1. */
export interface Position {
	file: string;
	line: number;
	column: number;
}

/**
 * Parses the text of one file.
 *
 * @param path its name, for messages
 */
export function parseSource(text: string, path: string): SourceFile {
	const lines = new LineCounter();
	const readable = hideQuotes(text);
	const tokens = [...new Parser(lines.addNewLine).parse(readable)];
	const [document, second] = new Composer({
		keepSourceTokens: true,
		merge: true,
		// A pretty error quotes the line, and there may be a key on it.
		prettyErrors: false,
	}).compose(tokens, true, readable.length);
	if (!document) throw new Unreadable(`${path}: empty`);
	const faults = document.errors.map(({ code, pos }) => ({
		message: `not YAML that Kong could read: ${code.toLowerCase().replaceAll("_", " ")}`,
		offset: pos[0],
	}));
	if (second)
		faults.push({
			message: "a second document begins; one is expected",
			offset: second.range[0],
		});
	if (!isMap(document.contents))
		faults.push({ message: "a map is expected", offset: 0 });
	visit(document, {
		Scalar(_, node) {
			if (typeof node.value === "string") node.value = showQuotes(node.value);
		},
		Alias(_, alias) {
			if (!alias.resolve(document))
				faults.push({
					message: `no anchor &${alias.source} before this alias`,
					offset: alias.range?.[0] ?? 0,
				});
		},
	});
	if (!faults.length && !resolves(document))
		faults.push({
			message: "an anchor contains an alias to itself, or aliases multiply",
			offset: 0,
		});
	return { path, text, document, tokens, lines, faults };
}

/** A character that no file has, as long as a quote, so that places stay what they are. */
const HIDDEN_QUOTE = "\uE000";

/**
 * decK fills in its variables before it parses YAML, so that `"${{ env "DECK_X" }}"`, quotes inside of
 * quotes, is what its maintainers recommend; as YAML it is none.
 */
function hideQuotes(text: string): string {
	return text.replaceAll(
		/\$\{\{[^{}"\\\n]*"[^"\\\n]*"[^{}"\\\n]*\}\}/g,
		(variable) => variable.replaceAll('"', HIDDEN_QUOTE),
	);
}

function showQuotes(text: string): string {
	return text.replaceAll(HIDDEN_QUOTE, '"');
}

/** More than files have; what multiplies aliases of aliases to fill the memory has still more. */
const ALIASES = { maxAliasCount: 10_000 };

function resolves(document: Document): boolean {
	try {
		document.toJS(ALIASES);
		return true;
	} catch {
		return false;
	}
}

/** Where a node stands. */
export function positionOf(file: SourceFile, node: Node | null): Position {
	return positionAt(file, node?.range?.[0] ?? 0);
}

/** Where a character of a file stands. */
export function positionAt(file: SourceFile, offset: number): Position {
	const { line, col } = file.lines.linePos(offset);
	return { file: file.path, line: line || 1, column: col || 1 };
}

/** The map that a file without faults is. */
export function rootOf({ document }: SourceFile): YAMLMap {
	return document.contents as YAMLMap;
}

/** A member of a map, with aliases and merge keys followed. */
export function lookup(
	file: SourceFile,
	map: YAMLMap,
	key: string,
): Node | undefined {
	const own = map.items.find((pair) => keyOf(pair) === key);
	if (own) return follow(file, own.value);
	for (const pair of map.items) {
		if (keyOf(pair) !== "<<") continue;
		const merged = follow(file, pair.value);
		for (const item of isSeq(merged) ? merged.items : [merged]) {
			const source = follow(file, item);
			const found = isMap(source) ? lookup(file, source, key) : undefined;
			if (found) return found;
		}
	}
	return undefined;
}

function keyOf({ key }: Pair<unknown, unknown>): unknown {
	if (!isScalar(key)) return undefined;
	// The library's merge key is a symbol.
	return typeof key.value === "symbol" ? key.value.description : key.value;
}

function follow(file: SourceFile, node: unknown): Node | undefined {
	if (isAlias(node)) return node.resolve(file.document);
	return isMap(node) || isSeq(node) || isScalar(node) ? node : undefined;
}

/** The maps of a list that is a member of a map. */
export function maps(file: SourceFile, map: YAMLMap, key: string): YAMLMap[] {
	const list = lookup(file, map, key);
	if (!isSeq(list)) return [];
	return list.items
		.map((item) => follow(file, item))
		.filter((item): item is YAMLMap => isMap(item));
}

/** The value of a member of a map. */
export function plain(file: SourceFile, map: YAMLMap, key: string): unknown {
	const node = lookup(file, map, key);
	return node && contentOf(file, node);
}

/** The value of a node. */
export function contentOf({ document }: SourceFile, node: Node): unknown {
	return node.toJS(document, ALIASES);
}

/** A text of a file and what is to take its place. */
export interface Edit {
	file: SourceFile;
	node: Scalar;
	text: string;
}

/**
 * Replaces texts in files; all other bytes stay as they are.
 *
 * @returns the files with their new text, only those that changed
 */
export function applyEdits(edits: Edit[]): { path: string; text: string }[] {
	for (const { node, text } of edits) {
		const token = node.srcToken;
		// Not reached: texts of a file come with their tokens.
		if (!token) throw new Error("no token to edit");
		CST.setScalarValue(token, text, {
			afterKey: true,
			// Unquoted, a text might be taken for a number.
			...(node.type === "PLAIN" && { type: "QUOTE_DOUBLE" }),
		});
	}
	const files = new Set(edits.map(({ file }) => file));
	return [...files].map(({ path, text, tokens }) => {
		const edited = showQuotes(tokens.map(CST.stringify).join(""));
		return { path, text: endLinesAs(text, edited) };
	});
}

function endLinesAs(model: string, text: string): string {
	return model.includes("\r\n") ? text.replaceAll(/\r?\n/g, "\r\n") : text;
}
