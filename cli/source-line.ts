import { isScalar } from "yaml";
import { rootOf, type SourceFile, walk } from "../declarative/text";
import { properties } from "../schema/kong";

/** A line of a file as it may be shown: what may be a secret in it is replaced by `…`. */
export interface SourceLine {
	text: string;
	/** Where in this text the column of the file is, from 1. */
	column: number;
}

/** Members whose values are not secrets; of all others only the names are shown. */
const SHOWN = new Set([
	"_format_version",
	"access",
	"allow",
	"anonymous",
	"consumer",
	"consumer_group",
	"content_type",
	"enabled",
	"expression",
	"group",
	"hide_credentials",
	"hosts",
	"methods",
	"name",
	"paths",
	"priority",
	"protocols",
	"regex_priority",
	"route",
	"service",
	"status_code",
	"username",
	...properties
		.filter(([, { kong }]) => !kong?.encrypted)
		.map(([name]) => name),
]);

/** Members of which each value is shown, whatever its name is. */
const SHOWN_MAPS = new Set(["add_claims", "set_claims"]);

/** More of a line helps nobody. */
const WIDTH = 120;

/** A quoted or unquoted text of a file. */
interface Piece {
	begin: number;
	end: number;
	isShown: boolean;
}

/** Returns the line of a file on which a character stands. */
export function sourceLine(file: SourceFile, offset: number): SourceLine {
	const { text } = file;
	const start = text.lastIndexOf("\n", offset - 1) + 1;
	const next = text.indexOf("\n", start);
	const end = next < 0 ? text.length : next;
	let shown = "";
	let column = 1;
	const add = (begin: number, until: number, as: string) => {
		if (offset >= begin && offset < until)
			column = shown.length + 1 + Math.min(offset - begin, as.length - 1);
		shown += as;
	};
	let from = start;
	for (const { begin, end: until, isShown } of piecesOn(file, start, end)) {
		const between = withoutComment(text.slice(from, begin));
		add(from, begin, between);
		from = Math.max(from, begin);
		const stop = Math.min(until, end);
		add(from, stop, isShown ? text.slice(from, stop) : "…");
		from = stop;
	}
	add(from, end + 1, withoutComment(text.slice(from, end)));
	return clipped(shown.replaceAll("\t", " ").trimEnd(), column);
}

function withoutComment(text: string): string {
	return text.replace(/(^|\s)#.*/s, "$1");
}

/** A part of a long line, around the column. */
function clipped(text: string, column: number): SourceLine {
	if (text.length <= WIDTH) return { text, column };
	const from = Math.max(0, Math.min(column - WIDTH / 2, text.length - WIDTH));
	const part = text.slice(from, from + WIDTH);
	return from > 0
		? { text: `…${part.slice(1)}`, column: column - from }
		: { text: part, column };
}

const known = new WeakMap<SourceFile, Piece[]>();

/** The pieces of a file that are on a line, in their order. */
function piecesOn(file: SourceFile, start: number, end: number): Piece[] {
	// What cannot be read may be anything.
	if (file.faults.length) return [{ begin: start, end, isShown: false }];
	const pieces = known.get(file) ?? piecesOf(file);
	known.set(file, pieces);
	let low = 0;
	let high = pieces.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if ((pieces[middle]?.end ?? end) <= start) low = middle + 1;
		else high = middle;
	}
	const found: Piece[] = [];
	for (const piece of pieces.slice(low, low + WIDTH * 2)) {
		if (piece.begin >= end) break;
		found.push({ ...piece, begin: Math.max(piece.begin, start) });
	}
	return found;
}

function piecesOf(file: SourceFile): Piece[] {
	const pieces: Piece[] = [];
	walk(rootOf(file), (node, names, isName) => {
		if (!isScalar(node)) return;
		const [begin = 0, end = 0] = node.range ?? [];
		if (begin === end) return;
		const isShown = isName
			? isShort(node.value)
			: isHarmless(node.value) && isNamed(names);
		pieces.push({ begin, end, isShown });
	});
	return pieces;
}

/** Whether the names of what is around a value say that it may be shown. */
function isNamed(names: readonly string[]): boolean {
	return SHOWN.has(names.at(-1) ?? "") || SHOWN_MAPS.has(names.at(-2) ?? "");
}

function isShort(value: unknown): boolean {
	return String(value).length <= 64;
}

/** Whether a value has nothing of a key or a password in it, wherever it stands. */
function isHarmless(value: unknown): boolean {
	return (
		typeof value !== "string" ||
		(value.length <= 200 && !/["\n?]|PRIVATE|\/\/[^/]*@/.test(value))
	);
}
