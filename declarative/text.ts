import {
	type Alias,
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
	type Tags,
	type YAMLMap,
	type YAMLSeq,
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
	/** What each alias stands for. */
	aliases: ReadonlyMap<Alias, Node>;
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
	if (countOf(text, /[\n,]/g) > MAX_PARTS)
		throw new Unreadable(
			`${path}: more than ${MAX_PARTS} lines and commas; split it into several files`,
		);
	const lines = new LineCounter();
	const readable = hideQuotes(text);
	const tokens = [...new Parser(lines.addNewLine).parse(readable)];
	const [document, second] = compose(tokens, readable.length, path);
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
	const aliases = new Map<Alias, Node>();
	const anchors = new Map<string, Node>();
	walk(document.contents, (node) => {
		if (isAlias(node)) {
			const target = anchors.get(node.source);
			if (target) aliases.set(node, target);
			else
				faults.push({
					message: `no anchor &${node.source} before this alias`,
					offset: node.range?.[0] ?? 0,
				});
			return;
		}
		if (node.anchor) anchors.set(node.anchor, node);
		if (isScalar(node)) {
			if (typeof node.value === "string") node.value = showQuotes(node.value);
			return;
		}
		const key = isMap(node) && repeatedKey(node);
		if (key)
			faults.push({
				message: "not YAML that Kong could read: duplicate key",
				offset: key.range?.[0] ?? 0,
			});
	});
	if (!faults.length && !isBounded(document.contents, aliases))
		faults.push({
			message: "an anchor contains an alias to itself, or aliases multiply",
			offset: 0,
		});
	return { path, text, document, tokens, lines, faults, aliases };
}

/** More than files have: 5,000 routes have a tenth of it. Each takes time and memory. */
const MAX_PARTS = 500_000;

function countOf(text: string, pattern: RegExp): number {
	let count = 0;
	while (pattern.test(text)) count++;
	return count;
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

/** Composes a document as Kong (lyaml) and decK read it: YAML 1.1, with merge keys. */
function compose(tokens: CST.Token[], length: number, path: string) {
	try {
		return [
			...new Composer({
				keepSourceTokens: true,
				schema: "yaml-1.1",
				version: "1.1",
				merge: true,
				customTags: (tags) => tags.filter(isTag).filter(isKongs).map(asKong),
				// Compares each key with each other; `repeatedKey` does not.
				uniqueKeys: false,
				// A pretty error quotes the line, and there may be a key on it.
				prettyErrors: false,
			}).compose(tokens, true, length),
		];
	} catch (error) {
		if (error instanceof RangeError)
			throw new Unreadable(`${path}: its values are nested too deeply`);
		throw error;
	}
}
function isTag(tag: Tags[number]): tag is Exclude<Tags[number], string> {
	return typeof tag !== "string";
}

/** Kong and decK read what looks like a date as a string. */
function isKongs({ tag }: Exclude<Tags[number], string>): boolean {
	return tag !== "tag:yaml.org,2002:timestamp";
}

/** To them `y` and `n` are strings. */
function asKong(tag: Exclude<Tags[number], string>) {
	if (tag.collection || tag.tag !== "tag:yaml.org,2002:bool") return tag;
	const isTrue = tag.test?.test("true");
	return {
		...tag,
		test: isTrue
			? /^(?:[Yy]es|YES|[Tt]rue|TRUE|[Oo]n|ON)$/
			: /^(?:[Nn]o|NO|[Ff]alse|FALSE|[Oo]ff|OFF)$/,
	};
}

/** The first key that a map has twice. */
function repeatedKey(map: YAMLMap): Scalar | undefined {
	const seen = new Set<unknown>();
	for (const { key } of map.items) {
		if (!isScalar(key) || typeof key.value === "symbol") continue;
		if (seen.has(key.value)) return key;
		seen.add(key.value);
	}
	return undefined;
}

/** More values than files have, with aliases followed; what multiplies aliases to fill the memory has still more. */
const MAX_VALUES = 2_000_000;

/** Whether a document stays small with aliases followed, and no anchor contains itself. */
function isBounded(
	contents: unknown,
	aliases: ReadonlyMap<Alias, Node>,
): boolean {
	const sizes = new Map<unknown, number>();
	const sizeOf = (node: unknown): number => {
		const known = sizes.get(node);
		if (known !== undefined) return known;
		// Until it is known, so that an alias to what is around it has no end.
		sizes.set(node, Number.POSITIVE_INFINITY);
		const children = isAlias(node)
			? [aliases.get(node)]
			: isMap(node)
				? node.items.map(({ value }) => value)
				: isSeq(node)
					? node.items
					: [];
		let size = 1;
		for (const child of children) size += sizeOf(child);
		sizes.set(node, size);
		return size;
	};
	return sizeOf(contents) <= MAX_VALUES;
}

/** What stands in a document. */
export type AnyNode = Scalar | Alias | YAMLMap | YAMLSeq;

/**
 * Visits the nodes in a node in the order of the file, itself first; aliases are not followed.
 *
 * @param visitor gets each node, the names of the members it is in, and whether it is a name itself; what is in a node
 * for which it returns `false` is left out
 */
export function walk(
	node: unknown,
	visitor: (
		node: AnyNode,
		names: readonly string[],
		isName: boolean,
	) => unknown,
): void {
	const names: string[] = [];
	const visit = (one: unknown, isName: boolean) => {
		if (!isScalar(one) && !isAlias(one) && !isMap(one) && !isSeq(one)) return;
		if (visitor(one, names, isName) === false) return;
		if (isSeq(one)) for (const item of one.items) visit(item, false);
		if (!isMap(one)) return;
		for (const { key, value } of one.items) {
			visit(key, true);
			names.push(isScalar(key) ? String(key.value) : "");
			visit(value, false);
			names.pop();
		}
	};
	visit(node, false);
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
	return membersOf(file, map).get(key);
}

const members = new WeakMap<YAMLMap, Map<unknown, Node | undefined>>();

/** The members of a map by name; its own come before those it merges, of these the first. */
function membersOf(
	file: SourceFile,
	map: YAMLMap,
): Map<unknown, Node | undefined> {
	const known = members.get(map);
	if (known) return known;
	const found = new Map<unknown, Node | undefined>();
	for (const pair of map.items)
		if (keyOf(pair) !== "<<") found.set(keyOf(pair), follow(file, pair.value));
	for (const pair of map.items) {
		if (keyOf(pair) !== "<<") continue;
		const merged = follow(file, pair.value);
		for (const item of isSeq(merged) ? merged.items : [merged]) {
			const source = follow(file, item);
			if (!isMap(source)) continue;
			for (const [key, node] of membersOf(file, source))
				if (!found.has(key)) found.set(key, node);
		}
	}
	members.set(map, found);
	return found;
}

function keyOf({ key }: Pair<unknown, unknown>): unknown {
	if (!isScalar(key)) return undefined;
	// The library's merge key is a symbol.
	if (typeof key.value === "symbol") return key.value.description;
	return key.value === null ? "" : String(key.value);
}

function follow(file: SourceFile, node: unknown): Node | undefined {
	if (isAlias(node)) return file.aliases.get(node);
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

const contents = new WeakMap<Node, unknown>();

/** The value of a node, with aliases and merge keys followed. It is shared: do not change it. */
export function contentOf(file: SourceFile, node: Node): unknown {
	if (isScalar(node)) return node.value;
	if (contents.has(node)) return contents.get(node);
	const value = isSeq(node)
		? node.items.map((item) => {
				const found = follow(file, item);
				return found ? contentOf(file, found) : null;
			})
		: isMap(node)
			? Object.fromEntries(
					[...membersOf(file, node)].map(([key, member]) => [
						String(key),
						member ? contentOf(file, member) : null,
					]),
				)
			: undefined;
	contents.set(node, value);
	return value;
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
