import { RE2JS } from "re2js";

/** How a route's path fits a request's. */
export interface PathMatch {
	/** A regular expression, `~…` in the route, wins over every prefix (Kong: router). */
	isRegex: boolean;
	/** Of the route's path, in characters: the longer prefix wins. */
	length: number;
	/** The part of the request's path that it fits, which `strip_path` takes away. */
	matched: string;
}

/**
 * Matches a request's path with one of a route's, as Kong does: a prefix, or after `~` a regular
 * expression from the beginning on. Kong's are those of Rust's regex crate, which are RE2's; neither
 * takes longer than the path is long.
 *
 * @param path of the route
 * @param pathname of the request
 * @returns nothing when it does not fit, or is a regular expression that `pathFault` finds fault with
 */
export function matchPath(
	path: string,
	pathname: string,
): PathMatch | undefined {
	if (!path.startsWith("~"))
		return pathname.startsWith(path)
			? { isRegex: false, length: path.length, matched: path }
			: undefined;
	const matcher = compile(path)?.matcher(pathname);
	if (!matcher?.find()) return undefined;
	const matched = pathname.slice(matcher.start(), matcher.end());
	return { isRegex: true, length: path.length, matched };
}

/** What is wrong with a route's path, for the user; nothing when Kong can read it. */
export function pathFault(path: string): string | undefined {
	return path.startsWith("~") && !compile(path)
		? `the path ${path} is no regular expression that Kong reads; it knows no look-around and no back-references`
		: undefined;
}

/** What every path begins with that a route's path fits; empty when that is not known. */
export function beginningOf(path: string): string {
	if (!path.startsWith("~")) return path;
	const [, literal = "", next = ""] =
		/^~([A-Za-z0-9/_~%-]*)(.?)/s.exec(path) ?? [];
	// An alternative may begin with anything.
	if (path.includes("|")) return "";
	return ["*", "?", "{"].includes(next) ? literal.slice(0, -1) : literal;
}

const compiled = new Map<string, RE2JS | undefined>();

function compile(path: string): RE2JS | undefined {
	if (!compiled.has(path)) compiled.set(path, parse(path.slice(1)));
	return compiled.get(path);
}

function parse(expression: string): RE2JS | undefined {
	try {
		// As Kong does it, so that of alternatives only the first begins at the beginning.
		return RE2JS.compile(`^${expression}`);
	} catch {
		return undefined;
	}
}

/** The best match of several paths, as Kong chooses. */
export function bestMatch(
	paths: readonly string[],
	pathname: string,
): PathMatch | undefined {
	return paths
		.map((path) => matchPath(path, pathname))
		.filter((match) => match !== undefined)
		.sort(byPrecedence)[0];
}

/** Orders matches by the one Kong chooses: regular expressions first, in their order, then the longer path. */
function byPrecedence(a: PathMatch, b: PathMatch): number {
	if (a.isRegex || b.isRegex) return Number(b.isRegex) - Number(a.isRegex);
	return b.length - a.length;
}
